/* verbs.h - the verbs, each a function from a parsed command to an exit code.
 *
 * What a verb is for is told by the table in cli.c alone. */
#ifndef CLIENT_VERBS_VERBS_H
#define CLIENT_VERBS_VERBS_H

struct tool;

int verb_run(struct tool *tool);
int verb_launch(struct tool *tool);
int verb_attend(struct tool *tool);
int verb_validate(struct tool *tool);
int verb_up(struct tool *tool);
int verb_down(struct tool *tool);
int verb_supervise(struct tool *tool);
int verb_workers(struct tool *tool);
int verb_cordon(struct tool *tool);
int verb_uncordon(struct tool *tool);
int verb_drain(struct tool *tool);
int verb_logs(struct tool *tool);
int verb_jobs(struct tool *tool);
int verb_status(struct tool *tool);
int verb_watch(struct tool *tool);
int verb_cancel(struct tool *tool);
int verb_pause(struct tool *tool);
int verb_resume(struct tool *tool);
int verb_set(struct tool *tool);
int verb_history(struct tool *tool);
int verb_show(struct tool *tool);
int verb_diff(struct tool *tool);
int verb_restore(struct tool *tool);
int verb_undo(struct tool *tool);
int verb_tag(struct tool *tool);
int verb_export(struct tool *tool);
int verb_eval(struct tool *tool);
int verb_metrics(struct tool *tool);
int verb_verify(struct tool *tool);
int verb_backup(struct tool *tool);
int verb_gc(struct tool *tool);
int verb_rebuild(struct tool *tool);
int verb_version(struct tool *tool);
int verb_keys(struct tool *tool);
int verb_help(struct tool *tool);

#endif /* CLIENT_VERBS_VERBS_H */
