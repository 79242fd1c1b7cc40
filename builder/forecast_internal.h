/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the executor calls while build->forecast isn't NULL. Internal to builder/.
 *
 * A stage is lost from where its keys can't be known without the network: its recipe is then one
 * that no record has, and its instructions are only listed.
 */
#ifndef CBUILD_BUILDER_FORECAST_INTERNAL_H
#define CBUILD_BUILDER_FORECAST_INTERNAL_H

#include "builder/executor.h"
#include "builder/forecast.h"

/* The reasons are copied. */
void forecast_add_step(struct stage_run *run, const struct instruction *instruction, bool cached,
                       const struct strvec *reasons);
void forecast_add_image(struct build *build, const char *name, bool is_here, bool size_is_known,
                        uint64_t size);
/* `run` is lost from here on. `reason` is owned. */
void forecast_lose(struct stage_run *run, char *reason);
/* Lists an instruction of a lost stage. */
void forecast_add_lost(struct stage_run *run, const struct instruction *instruction);
struct digest forecast_lost_recipe(void);
/* After the stages are done. */
void forecast_finish(struct build *build);

#endif
