#include "client/cli.h"

#include "client/verbs/verbs.h"

#include <string.h>

static const struct cli_flag flags[FLAGS_COUNT] = {
    [FLAG_STORE] = {"store", 0, "DIR",
                    "the store (CAJAL_STORE; ~/.local/share/cajal/store)"},
    [FLAG_JOB] = {"job", 0, "JOB", "the job, by id or name (the newest)"},
    [FLAG_ADDRESS] = {"address", 0, "ADDR",
                      "a coordinator's gRPC target instead of a store"},
    [FLAG_KEYS] = {"keys", 0, "DIR",
                   "keys for --address (CAJAL_KEYS; ~/.config/cajal/keys)"},
    [FLAG_CA] = {"ca", 0, "FILE", "the authority to trust, instead of ca.crt"},
    [FLAG_TOKEN_FILE] = {"token-file", 0, "FILE",
                         "prove who you are by a token, not a certificate"},
    [FLAG_INSECURE] = {"insecure", 0, NULL,
                       "allow an --address beyond this machine, unencrypted"},
    [FLAG_OUTPUT] = {"output", 'o', "FORM", "table, wide or json (table)"},
    [FLAG_JSON] = {"json", 0, NULL, "the same as -o json"},
    [FLAG_YES] = {"yes", 'y', NULL, "do not ask"},
    [FLAG_TIMEOUT] = {"timeout", 0, "TIME",
                      "how long to wait for an answer (30s)"},
    [FLAG_COLOR] = {"color", 0, NULL, "colour, even where it would be off"},
    [FLAG_NO_COLOR] = {"no-color", 0, NULL, "no colour (NO_COLOR)"},
    [FLAG_HELP] = {"help", 'h', NULL, "this text"},
    [FLAG_WORKERS] = {"workers", 'w', "N",
                      "worker processes; for a job also MIN:MAX"},
    [FLAG_SET] = {"set", 0, "KEY=VALUE",
                  "change a key of the job file; may be repeated"},
    [FLAG_DETACH] = {"detach", 'd', NULL, "start it and return; prints the id"},
    [FLAG_LIMIT] = {"limit", 'n', "N", "only the newest N"},
    [FLAG_DELETE] = {"delete", 0, NULL, "delete the tag"},
    [FLAG_OFFLINE] = {"offline", 0, NULL, "do not open the data"},
    [FLAG_EXIT_STATUS] = {"exit-status", 0, NULL,
                          "exit 1 unless the job finishes"},
    [FLAG_EXIT_CODE] = {"exit-code", 0, NULL,
                        "exit 1 if there is a difference"},
    [FLAG_UNITS] = {"units", 0, NULL, "list every unit"},
    [FLAG_RUNTIME] = {"runtime", 0, "DIR", "where the sockets are"},
    [FLAG_THREADS] = {"threads", 0, "N", "compute threads per worker"},
    [FLAG_HOST] = {"host", 0, "NAME",
                   "a name or address of the coordinator; may be repeated"},
    [FLAG_ROLE] = {"role", 0, "ROLE", "viewer, operator or admin"},
    [FLAG_TOKEN] = {"token", 0, NULL, "a bearer token, not a certificate"},
    [FLAG_FORCE] = {"force", 0, NULL, "replace what is there"},
    [FLAG_DRY_RUN] = {"dry-run", 0, NULL, "say what would be done; do nothing"},
    [FLAG_CONFIRM] = {"confirm", 0, "NAME",
                      "the job's name, instead of typing it"},
};

#define WITH(flag) (UINT64_C(1) << FLAG_##flag)

static const struct cli_verb verbs[] = {
    {"run", "JOB.yaml", 1, 1, GROUP_RUN,
     WITH(WORKERS) | WITH(SET) | WITH(DETACH),
     "start a job on this machine and watch it to its end",
     "Checks the file before anything starts. Starts a coordinator and "
     "workers\n"
     "where none run on the store, restarts those that die, and ends them "
     "with\n"
     "the job. Ctrl-C detaches: the job goes on. Ctrl-C twice cancels it.\n"
     "With --workers 1:4 the job begins on one and takes up to four as they\n"
     "come. Exit 0: finished. Exit 1: failed, paused or cancelled.",
     "cajal run job.yaml --workers 2\n"
     "cajal run job.yaml --set train.lr=3e-4 --store ./store\n",
     verb_run},
    {"launch", "JOB.yaml", 1, 1, GROUP_RUN, WITH(WORKERS) | WITH(SET),
     "start a job on a running cluster; prints only its id",
     "Needs a coordinator that runs already: `cajal up`, or --address.\n"
     "With --workers 1:4 it begins on one and takes up to four as they come.",
     "cajal up -w 2 && job=$(cajal launch job.yaml)\n", verb_launch},
    {"validate", "JOB.yaml", 1, 1, GROUP_RUN, WITH(SET) | WITH(OFFLINE),
     "check a job file and its data; start nothing",
     "Prints every key with the value that the job would use. Opens the data\n"
     "on a worker, unless --offline.",
     "cajal validate job.yaml\n", verb_validate},
    {"cancel", "[JOB]", 0, 1, GROUP_RUN, 0,
     "stop a job for good; its versions stay", NULL, "cajal cancel j4\n",
     verb_cancel},
    {"pause", "[JOB]", 0, 1, GROUP_RUN, 0, "hold a job", NULL,
     "cajal pause j4\n", verb_pause},
    {"resume", "[JOB]", 0, 1, GROUP_RUN, 0, "let a paused job go on",
     "Needs a running cluster: `cajal up` starts one.",
     "cajal up -w 2 && cajal resume j4\n", verb_resume},
    {"set", "KEY=VALUE...", 1, CLI_ARGUMENTS_MAX, GROUP_RUN, 0,
     "change a rate or a policy's key of a running job",
     "The change is journaled like any decision and is part of every later\n"
     "version. Keys and values are those of the job file.",
     "cajal set train.lr=3e-3\n"
     "cajal set plasticity.renew.rate=1e-5 --job j4\n",
     verb_set},
    {"jobs", "", 0, 0, GROUP_LOOK, 0, "list the jobs, newest first", NULL,
     "cajal jobs -o json\n", verb_jobs},
    {"status", "[JOB]", 0, 1, GROUP_LOOK, 0,
     "one job on one screen: state, why, progress, workers", NULL,
     "cajal status j4\n", verb_status},
    {"watch", "[JOB]", 0, 1, GROUP_LOOK, WITH(EXIT_STATUS),
     "follow a job until it ends", "With -o json, one object a line.",
     "cajal watch j4 --exit-status\n", verb_watch},
    {"metrics", "[JOB]", 0, 1, GROUP_LOOK, 0,
     "accuracy and loss of each task, online and held out",
     "ONLINE is measured on each example before it is learnt from. HELD OUT "
     "is\n"
     "measured at the task's end, on examples that no training sees.",
     "cajal metrics j4 -o json\n", verb_metrics},
    {"logs", "[JOB]", 0, 1, GROUP_LOOK, WITH(LIMIT),
     "the newest log lines of coordinator and workers", NULL,
     "cajal logs -n 100\n", verb_logs},
    {"history", "[JOB]", 0, 1, GROUP_VERSIONS, WITH(LIMIT),
     "the versions of a job's architecture, newest first", NULL,
     "cajal history j4\n", verb_history},
    {"show", "VERSION", 1, 1, GROUP_VERSIONS, WITH(UNITS),
     "one version: shape, cause, job file",
     "A version is v7, j4@v7, NAME@v7, @ (the head), @~2 (two before it),\n"
     "@{1} (where the head was before its last move) or a tag.",
     "cajal show @~1\n", verb_show},
    {"diff", "A B", 2, 2, GROUP_VERSIONS, WITH(EXIT_CODE),
     "two versions, layer by layer",
     "MOVED is |B - A| / |A| over the weights that are in both.",
     "cajal diff v3 v7\n"
     "cajal diff @~1 @ -o json\n",
     verb_diff},
    {"restore", "VERSION", 1, 1, GROUP_VERSIONS, 0,
     "put a job back to a version, all of it",
     "Weights, shape, optimiser, random state, position in the data and "
     "policy\n"
     "are those of the version. Nothing is deleted; `cajal undo` takes it "
     "back.\n"
     "Asks first; without a terminal it needs --yes.",
     "cajal restore v5 --yes\n", verb_restore},
    {"undo", "[JOB]", 0, 1, GROUP_VERSIONS, 0, "take back the last restore",
     "Asks first; without a terminal it needs --yes.", "cajal undo --yes\n",
     verb_undo},
    {"tag", "[NAME [VERSION]]", 0, 2, GROUP_VERSIONS, WITH(DELETE),
     "name a version, or list the names",
     "A tag keeps its version from being dropped.",
     "cajal tag good v7\n"
     "cajal tag good --delete\n",
     verb_tag},
    {"export", "VERSION FILE", 2, 2, GROUP_MODELS, 0,
     "write a version's weights as a safetensors file",
     "Tensors are hidden1.weight [units, inputs], hidden1.bias, ..., float32.\n"
     "The file says its own shape in `cajal.arch`.",
     "cajal export @ net.safetensors\n", verb_export},
    {"eval", "VERSION", 1, 1, GROUP_MODELS, 0,
     "accuracy and loss of a version on held-out data", NULL, "cajal eval v3\n",
     verb_eval},
    {"verify", "", 0, 0, GROUP_MODELS, 0,
     "read the whole store and check every hash",
     "Exit 7 where something is damaged.", "cajal verify\n", verb_verify},
    {"backup", "DIR", 1, 1, GROUP_MODELS, 0,
     "copy the whole store, while training goes on",
     "DIR is new or empty, on any filesystem of the coordinator's host. The "
     "copy\n"
     "is one moment's state, without free space, and is a store itself.",
     "cajal backup /mnt/backup/monday\n"
     "cajal history --store /mnt/backup/monday\n",
     verb_backup},
    {"gc", "[JOB]", 0, 1, GROUP_MODELS, WITH(DRY_RUN) | WITH(CONFIRM),
     "drop the versions that the job's keep rules allow",
     "What stays: the head and tags, start and end, restores and what a "
     "person\n"
     "asked for, the last version of each cause, and the newest keep.last. "
     "Says\n"
     "first what would go, then asks for the job's name: it does not come "
     "back.\n"
     "The file does not get smaller, its free pages are used again; a backup "
     "is\n"
     "a small copy. With keep.last the coordinator does this by itself.",
     "cajal gc --dry-run\n"
     "cajal gc fashion --confirm=fashion\n",
     verb_gc},
    {"rebuild", "MIRROR", 1, 1, GROUP_MODELS, 0,
     "make a store anew from mirrors of its jobs",
     "MIRROR is the file that a job with store.mirror wrote, or a directory, "
     "of\n"
     "which every *.mirror is taken. --store names a new or empty directory. "
     "A\n"
     "torn end is left out: that much is computed again, to the same bits.\n"
     "Then `cajal up` goes on with the jobs, and with their mirrors.",
     "cajal rebuild /shared/cajal --store ./store\n"
     "cajal up -w 2 --store ./store\n",
     verb_rebuild},
    {"up", "", 0, 0, GROUP_CLUSTER, WITH(WORKERS) | WITH(THREADS),
     "start a coordinator and workers on this machine",
     "Jobs that were running when it last ended go on.", "cajal up -w 2\n",
     verb_up},
    {"down", "", 0, 0, GROUP_CLUSTER, 0,
     "stop them; running jobs are saved first", NULL, "cajal down\n",
     verb_down},
    {"workers", "", 0, 0, GROUP_CLUSTER, 0,
     "list the workers: state, shards, and how far each lags", NULL,
     "cajal workers\n", verb_workers},
    {"cordon", "WORKER", 1, 1, GROUP_CLUSTER, 0,
     "give a worker no new shards; it keeps those it has",
     "Its process goes on. `cajal uncordon` takes it back.",
     "cajal cordon w1\n", verb_cordon},
    {"uncordon", "WORKER", 1, 1, GROUP_CLUSTER, 0,
     "let a worker take shards again; ends a drain", NULL,
     "cajal uncordon w1\n", verb_uncordon},
    {"drain", "WORKER", 1, 1, GROUP_CLUSTER, 0,
     "cordon a worker and move its shards to others",
     "The jobs go on: nothing is computed twice and no bit changes. Returns\n"
     "when the worker hosts nothing; its process stays, cordoned. Where no\n"
     "other worker could take its shards, nothing changes and drain says so.\n"
     "Waits a minute, or --timeout: then exit 8, and it still goes on.",
     "cajal drain w1 --timeout 2m\n", verb_drain},
    {"keys", "init|add|list|revoke|rotate ...", 1, 3, GROUP_CLUSTER,
     WITH(HOST) | WITH(ROLE) | WITH(TOKEN) | WITH(FORCE),
     "who may come in from elsewhere",
     "init                     an authority, and the coordinator's keys\n"
     "add worker NAME          a directory to carry to a worker's host\n"
     "add client NAME --role R a directory to carry to a client; viewers "
     "look,\n"
     "                         operators start and change jobs, admins may "
     "all\n"
     "list                     what there is, and until when it is good\n"
     "revoke NAME              turned away within a second, without a restart\n"
     "rotate [NAME]            new keys, old ones revoked; without a name, "
     "what\n"
     "                         ends within 30 days. `coordinator` and\n"
     "                         `coordinator-curve` are names too.\n"
     "Works on the directory --keys alone; needs no coordinator.",
     "cajal keys init --host train1.example.org\n"
     "cajal keys add client ada --role operator\n",
     verb_keys},
    {"version", "", 0, 0, GROUP_SELF, 0,
     "releases of this tool and of a running coordinator", NULL,
     "cajal version -o json\n", verb_version},
    {"help", "[VERB]", 0, 1, GROUP_SELF, 0,
     "this text, or a verb's; `help exit-codes`", NULL, "cajal help run\n",
     verb_help},
    {"supervise", "", 0, 0, GROUP_HIDDEN,
     WITH(WORKERS) | WITH(THREADS) | WITH(RUNTIME),
     "keep a coordinator and workers running (started by run and up)", NULL,
     NULL, verb_supervise},
    {"attend", "JOB", 1, 1, GROUP_HIDDEN, 0,
     "end the cluster with the job (started by a run that detaches)", NULL,
     NULL, verb_attend},
};

#undef WITH

const struct cli_verb *cli_verbs(size_t *out_count)
{
    *out_count = sizeof(verbs) / sizeof(verbs[0]);
    return verbs;
}

const struct cli_flag *cli_flags(void)
{
    return flags;
}

const struct cli_verb *cli_find(const char *name)
{
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(verbs[i].name, name) == 0) {
            return &verbs[i];
        }
    }
    return NULL;
}
