/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/changeset.h"

void changeset_release(struct changeset *changeset)
{
    entry_list_release(&changeset->list);
    if (changeset->ops && changeset->ops->free)
        changeset->ops->free(changeset->data);
    changeset->ops = NULL;
    changeset->data = NULL;
}
