#include "storage/filesystem.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

/* One line of mountinfo: two paths and two lists of options. */
enum { MOUNT_LINE_BYTES_MAX = 4096, FUSE_TYPE = 0x65735546 };

/* statfs(2) and linux/magic.h. 9p is how a virtual machine sees a folder of
 * its host (WSL's /mnt/c too): the map does not follow writes there. */
static const struct {
    uint32_t type;
    const char *name;
} networks[] = {
    {0x00006969, "NFS"},
    {0x0000517B, "SMB"},
    {0xFF534D42, "CIFS"},
    {0xFE534D42, "SMB2"},
    {0x0BD00BD0, "Lustre"},
    {0x5346414F, "AFS"},
    {0x6B414653, "AFS"},
    {0x73757245, "Coda"},
    {0x0000564C, "NCP"},
    {0x01021997, "9p"},
    {0x00C36400, "Ceph"},
    {0x01161970, "GFS2"},
    {0x7461636F, "OCFS2"},
    {0x47504653, "GPFS"},
    {0x19830326, "BeeGFS"},
    {0xAAD7AAEA, "PanFS"},
    {0x786F4256, "a folder shared by VirtualBox"},
    {0x7C7C6673, "a folder shared by Parallels"},
};

/* Behind FUSE there may be anything; these go over a network. Others, such as
 * fuseblk (a local disk) and virtiofs, have working maps and locks. */
static const char *const fuse_networks[] = {
    "fuse.sshfs",       "fuse.glusterfs", "fuse.s3fs",    "fuse.s3ql",
    "fuse.mount-s3",    "fuse.rclone",    "fuse.gcsfuse", "fuse.ceph",
    "fuse.ceph-fuse",   "fuse.juicefs",   "fuse.davfs",   "fuse.curlftpfs",
    "fuse.vmhgfs-fuse", "fuse.blobfuse2", "fuse.moosefs", "fuse.mfs",
    "fuse.lizardfs",    "fuse.grpcfuse",  "fuse.osxfs",
};

bool filesystem_parse_mount(const char *line,
                            unsigned major_number,
                            unsigned minor_number,
                            struct filesystem *out)
{
    unsigned major_found = 0;
    unsigned minor_found = 0;
    const char *type = strstr(line, " - ");

    if (type == NULL ||
        sscanf(line, "%*u %*u %u:%u", &major_found, &minor_found) != 2) {
        return false;
    }
    if (major_found != major_number || minor_found != minor_number) {
        return false;
    }
    return sscanf(type, " - %31s", out->name) == 1;
}

/* Without /proc the name stays empty, and the FUSE filesystem is allowed. */
static void name_fuse(const char *dir, struct filesystem *out)
{
    char line[MOUNT_LINE_BYTES_MAX];
    struct stat status;
    FILE *mounts = NULL;

    if (stat(dir, &status) != 0) {
        return;
    }
    mounts = fopen("/proc/self/mountinfo", "re");
    if (mounts == NULL) {
        return;
    }
    while (fgets(line, sizeof(line), mounts) != NULL) {
        if (filesystem_parse_mount(line, major(status.st_dev),
                                   minor(status.st_dev), out)) {
            break;
        }
    }
    fclose(mounts);
}

enum status filesystem_of(const char *dir, struct filesystem *out)
{
    struct filesystem filesystem = {.type = 0};
    struct statfs answer;

    if (statfs(dir, &answer) != 0) {
        return STATUS_IO;
    }
    /* The field is signed and of 32 or 64 bits; the numbers have 32. */
    filesystem.type = (uint32_t)answer.f_type;
    if (filesystem.type == FUSE_TYPE) {
        name_fuse(dir, &filesystem);
    }
    *out = filesystem;
    return STATUS_OK;
}

const char *filesystem_network(const struct filesystem *filesystem)
{
    for (size_t i = 0; i < sizeof(networks) / sizeof(networks[0]); i++) {
        if (networks[i].type == filesystem->type) {
            return networks[i].name;
        }
    }
    if (filesystem->type != FUSE_TYPE) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof(fuse_networks) / sizeof(fuse_networks[0]);
         i++) {
        if (strcmp(fuse_networks[i], filesystem->name) == 0) {
            return fuse_networks[i];
        }
    }
    return NULL;
}
