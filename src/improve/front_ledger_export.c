/* The ledger for others: a file that can be checked without pawl. */
#include "improve/front.h"

#include "io/file.h"

enum { LEDGER_BYTES_MAX = 1 << 30 };

/* A record that is no JSON is written as it is: the file shows the damage. */
static enum pawl_status add_line(void *context, int64_t seq, const char *kind,
                                 struct pawl_str record, const char *hash, struct pawl_error *err)
{
    json_t *line = NULL;
    (void)seq, (void)kind, (void)err;
    if (pawl_json_parse(record, record.len, &line, NULL) == PAWL_OK && json_is_object(line)) {
        pawl_json_set(line, "hash", json_string(hash));
        pawl_json_write(line, context);
    } else {
        pawl_buf_add_str(context, record);
    }
    pawl_buf_add(context, "\n");
    json_decref(line);
    return PAWL_OK;
}

enum pawl_status pawl_ledger_export(struct pawl_project *project, const char *file,
                                    struct pawl_error *err)
{
    struct pawl_buf lines = PAWL_BUF(LEDGER_BYTES_MAX);
    if (file == NULL)
        return pawl_fail(err, PAWL_EUSAGE, "`ledger export` needs the name of a file.");
    PAWL_TRY(pawl_front_check_output(project, file, err));
    enum pawl_status status = pawl_store_ledger_each(project->store, add_line, &lines, err);
    if (status == PAWL_OK && lines.overflowed)
        status = pawl_fail(err, PAWL_ETOOBIG, "The ledger is over 1 GiB.");
    if (status == PAWL_OK) status = pawl_file_write_atomic(file, pawl_buf_str(&lines), 0644, err);
    pawl_buf_release(&lines);
    return status;
}
