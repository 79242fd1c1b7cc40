/* SPDX-License-Identifier: Apache-2.0 */
/* Carrying out a template. */
#include "cli/template_internal.h"

#include "base/array.h"

#include <string.h>
#include <strings.h>

struct variable {
    const char *name;
    json_t *value;
};

enum flow { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE };

struct run {
    const struct template *template;
    struct strbuf *out;
    bool is_head;  /* of a table */
    bool may_lack; /* in a condition: what isn't there is null */
    enum flow flow;
    struct variable *variables; /* the innermost last */
    size_t n_variables, variables_capacity;
};

static json_t *eval_pipeline(struct run *run, const struct template_pipeline *pipeline,
                             const json_t *dot, struct error **err);
static int run_nodes(struct run *run, const struct template_node *nodes, const json_t *dot,
                     struct error **err);

/* Variables */

static void push_variable(struct run *run, const char *name, const json_t *value)
{
    struct variable *variable = ARRAY_PUSH(run, variables);
    variable->name = name;
    variable->value = json_incref((json_t *)(uintptr_t)value);
}

static void pop_variables(struct run *run, size_t n)
{
    while (run->n_variables > n)
        json_decref(run->variables[--run->n_variables].value);
}

/* The parser has seen to it that there is one. */
static struct variable *find_variable(struct run *run, const char *name)
{
    size_t i = run->n_variables - 1;
    while (i > 0 && strcmp(run->variables[i].name, name) != 0)
        i--;
    return &run->variables[i];
}

static void set_variable(struct run *run, const char *name, bool declares, const json_t *value)
{
    if (declares) {
        push_variable(run, name, value);
        return;
    }
    struct variable *variable = find_variable(run, name);
    json_t *old = variable->value;
    variable->value = json_incref((json_t *)(uintptr_t)value);
    json_decref(old);
}

/* Values */

static json_t *find_member(const json_t *object, const char *name)
{
    json_t *found = json_object_get(object, name);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        if (found)
            break;
        if (!strcasecmp(key, name))
            found = value;
    }
    return found;
}

static json_t *lacking(struct run *run, const struct template_operand *operand,
                       const struct template_field *last, struct error **err)
{
    if (run->may_lack)
        return json_null();
    AUTO(strbuf_release) struct strbuf path = STRBUF_INIT;
    if (operand->kind == OPERAND_VARIABLE)
        strbuf_adds(&path, operand->variable);
    for (const struct template_field *field = operand->fields; field; field = field->next) {
        strbuf_addf(&path, ".%s", field->name);
        if (field == last)
            break;
    }
    template_error(run->template, operand->position, err, "there is no %s", path.data);
    return NULL;
}

/* Consumes `value`. */
static json_t *follow_fields(struct run *run, const struct template_operand *operand, json_t *value,
                             struct error **err)
{
    for (const struct template_field *field = operand->fields; field; field = field->next) {
        json_t *member = json_is_object(value) ? find_member(value, field->name) : NULL;
        json_incref(member);
        json_decref(value);
        if (!member)
            return lacking(run, operand, field, err);
        value = member;
    }
    return value;
}

static json_t *eval_operand(struct run *run, const struct template_operand *operand,
                            const json_t *dot, struct error **err)
{
    json_t *value = NULL;
    switch (operand->kind) {
    case OPERAND_DOT:
        value = json_incref((json_t *)(uintptr_t)dot);
        break;
    case OPERAND_VARIABLE:
        value = json_incref(find_variable(run, operand->variable)->value);
        break;
    case OPERAND_LITERAL:
        value = json_incref((json_t *)(uintptr_t)operand->literal);
        break;
    case OPERAND_PIPELINE:
        value = eval_pipeline(run, operand->pipeline, dot, err);
        break;
    }
    return value ? follow_fields(run, operand, value, err) : NULL;
}

/* Functions */

/* The first that decides: of `or` the first true one, of `and` the first false one; else the last.
 */
static json_t *eval_lazily(struct run *run, const struct template_command *command,
                           const json_t *dot, const json_t *piped, struct error **err)
{
    bool stops_at = !strcmp(command->function->name, "or");
    for (const struct template_operand *operand = command->operands; operand;
         operand = operand->next) {
        json_t *value = eval_operand(run, operand, dot, err);
        if (!value || template_is_true(value) == stops_at || (!operand->next && !piped))
            return value;
        json_decref(value);
    }
    return json_incref((json_t *)(uintptr_t)piped);
}

static json_t *call_function(struct run *run, const struct template_command *command,
                             const json_t *arguments, struct error **err)
{
    const struct template_function *function = command->function;
    size_t n = json_array_size(arguments);
    json_t **list = xcalloc(n + 1, sizeof(*list));
    for (size_t i = 0; i < n; i++)
        list[i] = json_array_get(arguments, i);
    json_t *result =
        run->is_head && function->is_look ? json_incref(list[0]) : function->call(list, n, err);
    free(list);
    if (!result) {
        error_wrap_(err, "%s", function->name);
        template_error_at(run->template, command->position, err);
    }
    return result;
}

/* `piped` (or NULL): what stands before the "|", the last argument */
static json_t *eval_command(struct run *run, const struct template_command *command,
                            const json_t *dot, const json_t *piped, struct error **err)
{
    if (!command->function)
        return eval_operand(run, command->operands, dot, err);
    if (!command->function->call)
        return eval_lazily(run, command, dot, piped, err);
    AUTO(json_decref) json_t *arguments = json_array();
    for (const struct template_operand *operand = command->operands; operand;
         operand = operand->next) {
        json_t *value = eval_operand(run, operand, dot, err);
        if (!value)
            return NULL;
        (void)json_array_append_new(arguments, value);
    }
    if (piped)
        (void)json_array_append(arguments, (json_t *)(uintptr_t)piped);
    return call_function(run, command, arguments, err);
}

/* Without setting its variables. */
static json_t *eval_pipeline(struct run *run, const struct template_pipeline *pipeline,
                             const json_t *dot, struct error **err)
{
    AUTO(json_decref) json_t *value = NULL;
    for (const struct template_command *command = pipeline->commands; command;
         command = command->next) {
        json_t *next = eval_command(run, command, dot, value, err);
        if (!next)
            return NULL;
        json_decref(value);
        value = next;
    }
    return TAKE(value);
}

/* Actions */

static int run_pipeline(struct run *run, const struct template_node *node, const json_t *dot,
                        struct error **err)
{
    AUTO(json_decref) json_t *value = eval_pipeline(run, node->pipeline, dot, err);
    if (!value)
        return -1;
    if (node->pipeline->variables[0])
        set_variable(run, node->pipeline->variables[0], node->pipeline->declares, value);
    else
        template_add_value(run->out, value);
    return 0;
}

static int run_condition(struct run *run, const struct template_node *node, const json_t *dot,
                         struct error **err)
{
    bool may_lack = run->may_lack;
    run->may_lack = true;
    AUTO(json_decref) json_t *value = eval_pipeline(run, node->pipeline, dot, err);
    run->may_lack = may_lack;
    if (!value)
        return -1;
    size_t n_variables = run->n_variables;
    if (node->pipeline->variables[0])
        set_variable(run, node->pipeline->variables[0], node->pipeline->declares, value);
    int result = template_is_true(value)
                     ? run_nodes(run, node->body, node->kind == NODE_WITH ? value : dot, err)
                     : run_nodes(run, node->otherwise, dot, err);
    pop_variables(run, n_variables);
    return result;
}

/* Once through a range's body; consumes `key`. */
static int run_item(struct run *run, const struct template_node *node, json_t *key,
                    const json_t *item, struct error **err)
{
    const struct template_pipeline *pipeline = node->pipeline;
    size_t n_variables = run->n_variables;
    bool has_both = pipeline->variables[1];
    if (has_both)
        set_variable(run, pipeline->variables[0], pipeline->declares, key);
    if (pipeline->variables[0])
        set_variable(run, pipeline->variables[has_both], pipeline->declares, item);
    json_decref(key);
    int result = run_nodes(run, node->body, item, err);
    pop_variables(run, n_variables);
    if (run->flow == FLOW_CONTINUE)
        run->flow = FLOW_ON;
    return result;
}

static int run_range(struct run *run, const struct template_node *node, const json_t *dot,
                     struct error **err)
{
    AUTO(json_decref) json_t *list = eval_pipeline(run, node->pipeline, dot, err);
    if (!list)
        return -1;
    if (!json_is_array(list) && !json_is_object(list) && !json_is_null(list))
        return template_error(run->template, node->position, err,
                              "range goes over a list or an object, not over %s",
                              template_type_name(list));
    if (!template_is_true(list))
        return run_nodes(run, node->otherwise, dot, err);
    AUTO(strvec_release) struct strvec keys = STRVEC_INIT;
    if (json_is_object(list))
        template_sorted_keys(list, &keys);
    size_t n = json_is_object(list) ? keys.n : json_array_size(list);
    int result = 0;
    for (size_t i = 0; i < n && result == 0 && run->flow == FLOW_ON; i++)
        result = json_is_object(list) ? run_item(run, node, json_from_string(keys.items[i]),
                                                 json_object_get(list, keys.items[i]), err)
                                      : run_item(run, node, json_integer((json_int_t)i),
                                                 json_array_get(list, i), err);
    run->flow = FLOW_ON;
    return result;
}

static int run_node(struct run *run, const struct template_node *node, const json_t *dot,
                    struct error **err)
{
    switch (node->kind) {
    case NODE_TEXT:
        strbuf_adds(run->out, node->text);
        return 0;
    case NODE_PIPELINE:
        return run_pipeline(run, node, dot, err);
    case NODE_IF:
    case NODE_WITH:
        return run_condition(run, node, dot, err);
    case NODE_RANGE:
        return run_range(run, node, dot, err);
    case NODE_BREAK:
        run->flow = FLOW_BREAK;
        return 0;
    case NODE_CONTINUE:
        run->flow = FLOW_CONTINUE;
        return 0;
    }
    return 0;
}

static int run_nodes(struct run *run, const struct template_node *nodes, const json_t *dot,
                     struct error **err)
{
    for (; nodes && run->flow == FLOW_ON; nodes = nodes->next)
        if (run_node(run, nodes, dot, err) < 0)
            return -1;
    return 0;
}

static int run_template(const struct template *template, const json_t *value, bool is_head,
                        struct strbuf *out, struct error **err)
{
    struct run run = { .template = template, .out = out, .is_head = is_head };
    push_variable(&run, "$", value);
    int result = run_nodes(&run, template->nodes, value, err);
    pop_variables(&run, 0);
    free(run.variables);
    return result;
}

int template_run(const struct template *template, const json_t *value, struct strbuf *out,
                 struct error **err)
{
    return run_template(template, value, false, out, err);
}

int template_run_head(const struct template *template, const json_t *titles, struct strbuf *out,
                      struct error **err)
{
    return run_template(template, titles, true, out, err);
}

int template_expand(const char *text, const json_t *value, struct strbuf *out, struct error **err)
{
    AUTO(template_free) struct template *template = template_parse(text, err);
    return template ? template_run(template, value, out, err) : -1;
}
