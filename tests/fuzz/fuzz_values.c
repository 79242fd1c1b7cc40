/* SPDX-License-Identifier: Apache-2.0 */
/* The small grammars: durations, signals, ports, sizes, modes, check options, places of contexts.
 */
#include "base/mem.h"
#include "builder/check_options.h"
#include "builder/chmod_spec.h"
#include "builder/context_remote.h"
#include "builder/values.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is printed says the same. */
static void check_duration(const char *text)
{
    int64_t value, again;
    AUTO(error_free) struct error *err = NULL;
    if (duration_parse(text, &value, &err) < 0)
        return;
    AUTO(free) char *printed = duration_format(value);
    if (duration_parse(printed, &again, &err) < 0 || again != value)
        abort();
}

static void check_ports(const char *text)
{
    AUTO(error_free) struct error *err = NULL;
    AUTO(strvec_release) struct strvec ports = STRVEC_INIT;
    if (expose_parse(text, &ports, &err) == 0 && (ports.n < 1 || ports.n > 65536))
        abort();
}

static void check_numbers(const char *text)
{
    int number;
    bool flag;
    uint64_t bytes;
    AUTO(error_free) struct error *no_signal = NULL, *no_bool = NULL, *no_size = NULL;
    if (stop_signal_parse(text, &number, &no_signal) == 0 && (number < 1 || number > 64))
        abort();
    (void)!bool_parse(text, &flag, &no_bool);
    (void)!size_parse(text, &bytes, &no_size);
}

static void check_mode(const char *text)
{
    AUTO(chmod_spec_release) struct chmod_spec spec = { 0 };
    AUTO(error_free) struct error *err = NULL;
    if (chmod_spec_parse(text, &spec, &err) < 0)
        return;
    for (unsigned mode = 0; mode <= 07777; mode += 0111)
        if ((chmod_spec_apply(&spec, mode, false) | chmod_spec_apply(&spec, mode, true)) > 07777)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 256)
        return 0;
    AUTO(free) char *text = xstrndup((const char *)data, size);
    AUTO(check_options_release) struct check_options options = { 0 };
    AUTO(error_free) struct error *err = NULL;
    check_duration(text);
    check_ports(text);
    check_numbers(text);
    check_mode(text);
    (void)!check_options_parse(text, &options, &err);
    (void)context_place_kind(text);
    return 0;
}
