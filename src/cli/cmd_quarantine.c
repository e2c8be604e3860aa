#include "cli/cli.h"

static void render(const json_t *result, FILE *out)
{
    if (json_object_get(result, "lifted") == NULL) return; /* the error says why */
    fprintf(out,
            pawl_json_get_bool(result, "lifted", false)
                ? "the quarantine of %s is lifted\n"
                : "%s is in quarantine with its ancestors and whatever descends from them\n",
            cli_id(result, "artifact"));
}

const struct pawl_command pawl_cmd_quarantine = {
    .name = "quarantine",
    .about = "What is held is neither offered to the gate nor put in force. A candidate with a "
             "sealed case's\n"
             "canary in its text, or in its run's journal, is held by itself: {\"canary\": GUID}. "
             "So is one that\n"
             "springs a trap: sealed cases with {\"trap\": \"impossible\"}, or \"watched\" and "
             "\"unwatched\" with the\n"
             "same \"pair\"; they are in no score.",
    .render = render,
};
