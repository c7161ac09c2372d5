#include "storage/filesystem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { EXT4 = 0xEF53, TMPFS = 0x01021994, FUSE = 0x65735546 };

static void test_filesystem__names_the_networks(void **state)
{
    static const struct {
        struct filesystem filesystem;
        const char *name;
    } cases[] = {
        {{0x6969, ""}, "NFS"},
        {{0xFF534D42, ""}, "CIFS"},
        {{0xFE534D42, ""}, "SMB2"},
        {{0x0BD00BD0, ""}, "Lustre"},
        {{0x5346414F, ""}, "AFS"},
        {{0x01021997, ""}, "9p"},
        {{FUSE, "fuse.sshfs"}, "fuse.sshfs"},
        {{FUSE, "fuse.glusterfs"}, "fuse.glusterfs"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *name = filesystem_network(&cases[i].filesystem);

        assert_non_null(name);
        assert_string_equal(name, cases[i].name);
    }
}

static void test_filesystem__lets_local_disks_pass(void **state)
{
    static const struct filesystem local[] = {
        {EXT4, ""},           {TMPFS, ""},        {0x9123683E, ""}, /* btrfs */
        {0x58465342, ""},                                           /* xfs */
        {0x794C7630, ""}, /* overlayfs */
        {FUSE, "fuseblk"},    {FUSE, "virtiofs"}, {FUSE, ""},
        {EXT4, "fuse.sshfs"}, /* a name counts only for FUSE */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++) {
        assert_null(filesystem_network(&local[i]));
    }
}

static void test_filesystem__asks_the_system(void **state)
{
    struct filesystem filesystem = {.type = 0};

    (void)state;
    assert_int_equal(filesystem_of("/proc", &filesystem), STATUS_OK);
    assert_int_equal(filesystem.type, 0x9FA0);
    assert_int_equal(filesystem_of("/no/such/place", &filesystem), STATUS_IO);
}

static void test_filesystem__finds_what_is_behind_fuse(void **state)
{
    const char *line = "36 35 0:51 / /mnt/a\\040b rw,nosuid shared:1 - "
                       "fuse.sshfs host:/home rw,user_id=1000\n";
    struct filesystem filesystem = {.type = FUSE};

    (void)state;
    assert_false(filesystem_parse_mount(line, 0, 52, &filesystem));
    assert_false(filesystem_parse_mount(line, 1, 51, &filesystem));
    assert_false(filesystem_parse_mount("", 0, 51, &filesystem));
    assert_false(filesystem_parse_mount("1 2 0:51 / /", 0, 51, &filesystem));
    assert_false(filesystem_parse_mount("x - y z", 0, 51, &filesystem));
    assert_string_equal(filesystem.name, "");
    assert_true(filesystem_parse_mount(line, 0, 51, &filesystem));
    assert_string_equal(filesystem.name, "fuse.sshfs");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filesystem__names_the_networks),
        cmocka_unit_test(test_filesystem__lets_local_disks_pass),
        cmocka_unit_test(test_filesystem__asks_the_system),
        cmocka_unit_test(test_filesystem__finds_what_is_behind_fuse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
