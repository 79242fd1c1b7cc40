/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a template, for template*.c: a tree that lies in one arena. */
#ifndef CBUILD_CLI_TEMPLATE_INTERNAL_H
#define CBUILD_CLI_TEMPLATE_INTERNAL_H

#include "base/arena.h"
#include "cli/template.h"

/* ".A.B" behind an operand */
struct template_field {
    const char *name;
    struct template_field *next;
};

enum template_operand_kind {
    OPERAND_DOT,
    OPERAND_VARIABLE,
    OPERAND_LITERAL,
    OPERAND_PIPELINE, /* in parentheses */
};

struct template_operand {
    enum template_operand_kind kind;
    size_t position;      /* in the text */
    const char *variable; /* with its "$"; "$" alone is the whole value */
    const json_t *literal;
    struct template_pipeline *pipeline;
    struct template_field *fields;
    struct template_operand *next;
};

/* A function with its arguments, or (`function` is NULL) one operand */
struct template_command {
    size_t position;
    const struct template_function *function;
    struct template_operand *operands;
    struct template_command *next;
};

struct template_pipeline {
    const char *variables[2]; /* that it sets: "$x := …", "$i, $x := …" */
    bool declares;            /* ":=", not "=" */
    struct template_command *commands;
};

enum template_node_kind {
    NODE_TEXT,
    NODE_PIPELINE,
    NODE_IF,
    NODE_WITH,
    NODE_RANGE,
    NODE_BREAK,
    NODE_CONTINUE,
};

struct template_node {
    enum template_node_kind kind;
    size_t position;
    const char *text;
    struct template_pipeline *pipeline;
    struct template_node *body, *otherwise, *next;
};

struct template
{
    char *text;
    struct arena arena;
    json_t *literals; /* owns what operands refer to */
    struct template_node *nodes;
};

/* ERR_USAGE with the place in the text in front. */
int template_error(const struct template *template, size_t position, struct error **err,
                   const char *format, ...) PRINTF(4, 5);
/* Puts the place in front of an error that is set. */
int template_error_at(const struct template *template, size_t position, struct error **err);

/* Functions. They set errors without a place. */

struct template_function {
    const char *name;
    size_t min, max; /* arguments */
    /* A new reference; NULL for and and or, whose arguments are looked at one by one. */
    json_t *(*call)(json_t *const *args, size_t n, struct error **err);
    bool is_look; /* changes how its argument looks: not in a table's head */
};

const struct template_function *template_function_find(const char *name, size_t size);
/* The known name that is nearest, or NULL. */
const char *template_function_suggest(const char *name);

/* What Go takes for false: false, 0, "", null, an empty list or object. */
bool template_is_true(const json_t *value);
/* As Go prints a value with %v. */
void template_add_value(struct strbuf *out, const json_t *value);
/* Keys of an object in the order of their bytes, to release. */
void template_sorted_keys(const json_t *object, struct strvec *keys);
const char *template_type_name(const json_t *value); /* "a list" */

json_t *template_printf(json_t *const *args, size_t n, struct error **err);

#endif
