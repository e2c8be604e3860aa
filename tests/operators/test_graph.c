/* In which order feedback flows back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "operators/graph.h"

#include <stdlib.h>

static json_t *parse(const char *text)
{
    json_t *value;
    struct pawl_error err = {0};
    char *quoted = pawl_xstrdup(text);
    for (char *p = quoted; *p != '\0'; p++)
        if (*p == '\'') *p = '"';
    if (pawl_json_parse(pawl_str_of(quoted), 1 << 16, &value, &err) != PAWL_OK)
        fail_msg("%s", err.message);
    free(quoted);
    return value;
}

/* Layers as digits, then who answers, then the edges as "from>to". */
static void check_graph(const char *fields, const char *want)
{
    struct pawl_arena arena = {0};
    struct pawl_buf got = PAWL_BUF(1000);
    json_t *json = parse(fields);
    struct pawl_graph graph = pawl_graph_read(json, &arena);
    for (size_t i = 0; i < graph.n; i++) pawl_buf_printf(&got, "%zu", graph.modules[i].layer);
    for (size_t i = 0; i < graph.n; i++)
        if (graph.modules[i].answers) pawl_buf_printf(&got, " =%zu", i);
    for (size_t i = 0; i < graph.n; i++)
        for (size_t k = 0; k < graph.modules[i].n_fed_by; k++)
            pawl_buf_printf(&got, " %zu>%zu", graph.modules[i].fed_by[k], i);
    assert_string_equal(got.data, want);
    size_t highest = 0;
    for (size_t i = 0; i < graph.n; i++) {
        if (graph.modules[i].layer > highest) highest = graph.modules[i].layer;
        for (size_t k = 0; k < graph.modules[i].n_fed_by; k++) /* invariant 1 */
            assert_true(graph.modules[graph.modules[i].fed_by[k]].layer > graph.modules[i].layer);
    }
    assert_int_equal(graph.n_layers, highest + 1);
    pawl_buf_release(&got);
    pawl_arena_release(&arena);
    json_decref(json);
}

#define MODULE(name, inputs, outputs)                                                              \
    "{'name':'" name "','inputs':[" inputs "],'outputs':[" outputs "],'instruction':'" name ".i'}"

static void test_one_module(void **state)
{
    (void)state;
    check_graph("{'inputs':['q'],'outputs':[{'name':'a','type':'text'}]}", "0 =0");
    check_graph("{'inputs':[],'outputs':[]}", "0 =0"); /* a command */
    check_graph("{'inputs':['q'],'outputs':['a'],'modules':[" MODULE("m", "'q'", "'a'") "]}",
                "0 =0");
}

static void test_a_chain_and_a_diamond(void **state)
{
    (void)state;
    check_graph("{'inputs':['q'],'outputs':['a'],'modules':[" MODULE(
                    "first", "'q'", "'s'") "," MODULE("second", "'q','s'", "'a'") "]}",
                "10 =1 0>1");
    check_graph(
        "{'inputs':['q'],'outputs':[{'name':'a'}],'modules':[" MODULE(
            "top", "'q'",
            "'x','y'") "," MODULE("left", "'x'",
                                  "'l'") "," MODULE("right", "'y','q'",
                                                    "'r'") "," MODULE("end", "'l','r'", "'a'") "]}",
        "2110 =3 0>1 0>2 1>3 2>3");
    /* A short way beside a long one: the top waits for both. */
    check_graph(
        "{'inputs':['q'],'outputs':['a'],'modules':[" MODULE("top", "'q'", "'x'") "," MODULE(
            "middle", "'x'", "'y'") "," MODULE("end", "'x','y'", "'a'") "]}",
        "210 =2 0>1 0>2 1>2");
}

static void test_who_writes_a_field(void **state)
{
    (void)state;
    /* The last writer before the reader counts; the answer is the last one's. */
    check_graph(
        "{'inputs':['q'],'outputs':['a'],'modules':[" MODULE("draft", "'q'", "'a'") "," MODULE(
            "polish", "'a'", "'a'") "," MODULE("check", "'a'", "'note'") "]}",
        "210 =1 0>1 1>2");
    /* Two modules write parts of the answer, one of them is read by the other too. */
    check_graph("{'inputs':['q'],'outputs':['a','b'],'modules':[" MODULE(
                    "one", "'q'", "'a'") "," MODULE("two", "'a'", "'b'") "]}",
                "10 =0 =1 0>1");
    /* Nobody writes the answer by name (a flow does): the ends stand for it. */
    check_graph("{'inputs':['q'],'outputs':['z'],'modules':[" MODULE(
                    "one", "'q'", "'a'") "," MODULE("two", "'a'", "'b'") "]}",
                "10 =1 0>1");
}

static void test_which_call_made_the_answer(void **state)
{
    (void)state;
    struct pawl_arena arena = {0};
    json_t *fields = parse("{'outputs':['a'],'modules':[" MODULE("one", "'q'", "'s'") "," MODULE(
        "two", "'s'", "'a'") "]}");
    json_t *trace = parse("[{'module':'one','reply':'0','output':{}},{'module':'one','reply':'1'},"
                          "{'module':'two','reply':'2'},{'module':'two','reply':'3'}]");
    struct pawl_graph graph = pawl_graph_read(fields, &arena),
                      alone = pawl_graph_read(NULL, &arena);
    assert_ptr_equal(pawl_graph_call(&graph, trace, 0), json_array_get(trace, 0));
    assert_ptr_equal(pawl_graph_call(&graph, trace, 1), json_array_get(trace, 3));
    assert_ptr_equal(pawl_graph_call(&alone, trace, 0), json_array_get(trace, 0));
    assert_null(pawl_graph_call(&graph, NULL, 0));
    pawl_arena_release(&arena);
    json_decref(fields);
    json_decref(trace);
}

/* A flow: any module may feed a later one, and what was handed on stands in the trace. */
static void test_the_trace_of_a_flow(void **state)
{
    (void)state;
    check_graph("{'flow':true,'inputs':['q'],'outputs':['a'],'modules':[" MODULE(
                    "one", "'x'", "'s'") "," MODULE("two", "'y'", "'a'") "," MODULE("three", "'z'",
                                                                                    "'a'") "]}",
                "210 =1 =2 0>1 0>2 1>2");
    struct pawl_arena arena = {0};
    json_t *fields = parse("{'flow':true,'outputs':['z'],'modules':[" MODULE(
        "one", "'x'", "'s'") "," MODULE("two", "'y','w','v'", "'a'") "]}");
    json_t *trace =
        parse("[{'module':'one','output':{'s':'first'}},{'module':'one','output':{'s':'no'}},"
              "{'module':'two','input':{'y':'the first of','w':['x','first'],'v':'not so'},"
              "'output':{'a':'b'}},{'module':'one','output':{'s':'not so'}}]");
    struct pawl_graph graph = pawl_graph_read(fields, &arena);
    json_t *handed = pawl_graph_handed(&graph, trace, 0, 1), *wanted = parse("['y','w']");
    assert_true(json_equal(handed, wanted)); /* too short to tell, and said too late */
    json_decref(handed);
    assert_true(pawl_graph_answers(&graph, trace, 0)); /* the last that answered */
    assert_false(pawl_graph_answers(&graph, trace, 1));
    assert_false(pawl_graph_answers(&graph, NULL, 1));
    handed = pawl_graph_handed(&graph, NULL, 0, 1);
    assert_int_equal(json_array_size(handed), 0);
    json_decref(handed);
    json_decref(wanted);
    json_decref(fields);
    json_decref(trace);
    pawl_arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_module),
        cmocka_unit_test(test_a_chain_and_a_diamond),
        cmocka_unit_test(test_who_writes_a_field),
        cmocka_unit_test(test_which_call_made_the_answer),
        cmocka_unit_test(test_the_trace_of_a_flow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
