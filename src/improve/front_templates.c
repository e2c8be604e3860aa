/* The projects that init can write. Small enough to read, whole enough to run. pawl.yaml comes last:
 * with it a folder is a project, and then its files are there. */
#include "improve/templates.h"

#include <stddef.h>
#include <string.h>

static const struct pawl_template_file sentiment_files[] = {
    {"prompts/sentiment.md", "Decide whether the review of a product is positive or negative.\n",
     NULL},
    {"pawl.yaml",
     "name: sentiment\n"
     "# Or any command: program: {command: [python3, agent.py], components: {agent: agent.py}}.\n"
     "# It may read the files and folders that its words name, and nothing else of the project.\n"
     "program:\n"
     "  signature: \"review -> sentiment: positive | negative\"\n"
     "  instruction: prompts/sentiment.md\n"
     "data: {file: data/reviews.jsonl}     # one {\"id\",\"input\",\"target\"} a line; bring your "
     "own\n"
     "metric: exact_match\n"
     "models:\n"
     "  small: {backend: llama, model: smollm2-135m}   # pawl model pull smollm2-135m\n"
     "roles: {task: small}\n"
     "improve: {operator: bootstrap, budget: {evaluations: 3000, minutes: 20}}\n"
     "gate: {alpha: 0.05}\n",
     NULL},
    {0}};

/* 800 questions; the cluster of a case is the case. */
static void write_questions(struct pawl_buf *out)
{
    pawl_buf_add(out, "id,question,answer\n");
    for (unsigned i = 0; i < 800; i++) {
        unsigned number = i * 7919u % 10007u;
        pawl_buf_printf(out, "q%u,Is %u even?,%s\n", i, number, number % 2 == 0 ? "yes" : "no");
    }
}

/* A model in Lua answers better when it is asked better, so that everything can be tried without
 * weights: run it, kill it, resume it, roll it back. */
static const struct pawl_template_file scripted_files[] = {
    {"prompts/answer.md", "Answer the question.\n", NULL},
    {"model.lua",
     "-- A stand-in for a model: right in 60 of 100 cases, and in 85 when the instruction asks "
     "for\n"
     "-- care. When asked to reflect, it proposes just that, in ever other words.\n"
     "function complete(request)\n"
     "  local last = request.messages[#request.messages].content\n"
     "  if request.role == \"reflect\" then\n"
     "    local times = 1 + math.floor(random(request) * 1000)\n"
     "    return \"```\\nAnswer the question. Take care: check the number \" .. times ..\n"
     "           \" times before answering.\\n```\"\n"
     "  end\n"
     "  local system = request.messages[1].content\n"
     "  local skill = system:find(\"Take care\", 1, true) and 0.85 or 0.60\n"
     "  local n = tonumber(last:match(\"%d+\")) or 0\n"
     "  local right = n % 2 == 0 and \"yes\" or \"no\"\n"
     "  local wrong = n % 2 == 0 and \"no\" or \"yes\"\n"
     "  return random(request) < skill and right or wrong\n"
     "end\n",
     NULL},
    {"data/cases.csv", NULL, write_questions},
    {"pawl.yaml",
     "name: scripted\n"
     "program:\n"
     "  signature: \"question -> answer: yes | no\"\n"
     "  instruction: prompts/answer.md\n"
     "data: {file: data/cases.csv, columns: {id: id, input: {question: question}, target: "
     "answer}}\n"
     "metric: exact_match\n"
     "models:\n"
     "  toy: {backend: script, file: model.lua}\n"
     "roles: {task: toy}\n"
     "improve: {operator: gepa, budget: {evaluations: 2000}}\n"
     "gate: {alpha: 0.05}\n",
     NULL},
    {0}};

/* A stand-in for a model that is asked in two steps. */
static const char two_steps_model[] =
    "-- A stand-in for a model: each module is right in 75 of 100 cases, and in 95 when its\n"
    "-- instruction asks for care. When asked to reflect, it asks for care in the instruction "
    "that\n"
    "-- it is shown.\n"
    "function complete(request)\n"
    "  local last = request.messages[#request.messages].content\n"
    "  if request.role == \"reflect\" then\n"
    "    local shown = last:match(\"```\\n(.-)\\n*```\") or \"\"\n"
    "    local times = 1 + math.floor(random(request) * 1000)\n"
    "    return \"```\\n\" .. (shown:gsub(\" Take care.*\", \"\")) .. \" Take care: check \" ..\n"
    "           times .. \" times.\\n```\"\n"
    "  end\n"
    "  local system = request.messages[1].content\n"
    "  local skill = system:find(\"Take care\", 1, true) and 0.95 or 0.75\n"
    "  local right = random(request) < skill\n"
    "  local n = math.floor(tonumber(last:match(\"%d+\")) or 0)\n"
    "  if system:find(\"Find\", 1, true) then return tostring(right and n or n + 1) end\n"
    "  return (n % 2 == 0) == right and \"yes\" or \"no\"\n"
    "end\n";

/* The same questions in two steps, so that a pipeline can be tried without weights. */
static const struct pawl_template_file pipeline_files[] = {
    {"prompts/find.md", "Find the number in the question.\n", NULL},
    {"prompts/judge.md", "Say whether the number is even.\n", NULL},
    {"model.lua", two_steps_model, NULL},
    {"data/cases.csv", NULL, write_questions},
    {"pawl.yaml",
     "name: pipeline\n"
     "# What a module gives feeds those that take a field of its name, whatever the order here.\n"
     "program:\n"
     "  modules:\n"
     "    find: {signature: \"question -> number: number\", instruction: prompts/find.md}\n"
     "    judge: {signature: \"number -> answer: yes | no\", instruction: prompts/judge.md}\n"
     "data: {file: data/cases.csv, columns: {id: id, input: {question: question}, target: "
     "answer}}\n"
     "metric: exact_match\n"
     "models:\n"
     "  toy: {backend: script, file: model.lua}\n"
     "roles: {task: toy}\n"
     "improve: {operator: gepa, budget: {evaluations: 2000}}\n"
     "gate: {alpha: 0.05}\n",
     NULL},
    {0}};

/* The same again, with a loop that a pipeline has no place for. */
static const struct pawl_template_file flow_files[] = {
    {"prompts/find.md", "Find the number in the question.\n", NULL},
    {"prompts/judge.md", "Say whether the number is even.\n", NULL},
    {"flow.lua",
     "-- ask(module, {field = value}) gives the module's answer by field; ask_all(module, {...}) "
     "asks\n"
     "-- several at once. Here the number is looked for until what is found stands in the "
     "question.\n"
     "function flow(input)\n"
     "  local number\n"
     "  for try = 1, 3 do\n"
     "    number = ask(\"find\", {question = input.question, try = try}).number\n"
     "    local text = tostring(math.tointeger(number) or number)\n"
     "    if input.question:find(text, 1, true) then break end\n"
     "  end\n"
     "  return ask(\"judge\", {number = number})\n"
     "end\n",
     NULL},
    {"model.lua", two_steps_model, NULL},
    {"data/cases.csv", NULL, write_questions},
    {"pawl.yaml",
     "name: flow\n"
     "# Lua decides which module is asked, how often and with what; operators improve each "
     "module.\n"
     "program:\n"
     "  flow: flow.lua            # `edit: true` lets operators rewrite it as well\n"
     "  signature: \"question -> answer: yes | no\"\n"
     "  modules:\n"
     "    find: {signature: \"question, try: number -> number: number\", instruction: "
     "prompts/find.md}\n"
     "    judge: {signature: \"number -> answer: yes | no\", instruction: prompts/judge.md}\n"
     "data: {file: data/cases.csv, columns: {id: id, input: {question: question}, target: "
     "answer}}\n"
     "metric: exact_match\n"
     "models:\n"
     "  toy: {backend: script, file: model.lua}\n"
     "roles: {task: toy}\n"
     "improve: {operator: gepa, budget: {evaluations: 2000}}\n"
     "gate: {alpha: 0.05}\n",
     NULL},
    {0}};

static const struct pawl_template templates[] = {
    {"sentiment", "a review classifier on a small local model", sentiment_files},
    {"scripted", "a project without weights, to try everything", scripted_files},
    {"pipeline", "the same in two modules, one feeding the other", pipeline_files},
    {"flow", "the same two modules, asked by a Lua flow with a loop", flow_files},
};

const struct pawl_template *pawl_template_find(const char *name)
{
    for (size_t i = 0; i < sizeof templates / sizeof *templates; i++) {
        if (strcmp(templates[i].name, name) == 0) return &templates[i];
    }
    return NULL;
}

const char *pawl_template_names(void)
{
    return "sentiment, scripted, pipeline, flow";
}
