#include "tests/unit/storage/killed.h"

#include <signal.h>
#include <sys/wait.h>

uint64_t killed_after(struct fixture *f, killed_fn *go_on, int commits)
{
    uint64_t acknowledged = 0;
    uint64_t i = 0;
    int told[2];
    int status = 0;
    pid_t child = -1;

    assert_int_equal(pipe(told), 0);
    child = fork();
    if (child == 0) {
        close(told[0]);
        go_on(f, told[1]);
        _exit(1);
    }
    close(told[1]);
    for (int n = 0; n < commits; n++) {
        assert_int_equal(read(told[0], &i, sizeof(i)), sizeof(i));
    }
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    do {
        acknowledged = i;
    } while (read(told[0], &i, sizeof(i)) == sizeof(i));
    close(told[0]);
    return acknowledged;
}
