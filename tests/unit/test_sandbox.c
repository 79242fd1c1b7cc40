/* SPDX-License-Identifier: Apache-2.0 */
/* What a command sees of the machine, and what is left of it afterwards. */
#include "runner/sandbox.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "base/pool.h"
#include "tests/unit/sandbox_fixture.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static void root_has_a_default_containers_privileges(void **state)
{
    box_need_root();
    struct box *box = *state;
    box_expect(box,
               "grep -E '^(Cap|Seccomp:|Sig(Blk|Ign)|NoNewPrivs)' /proc/self/status | tr -d '\\t'",
               "SigBlk:0000000000000000\nSigIgn:0000000000000000\nCapInh:0000000000000000\n"
               "CapPrm:00000000a80425fb\nCapEff:00000000a80425fb\nCapBnd:00000000a80425fb\n"
               "CapAmb:0000000000000000\nNoNewPrivs:0\nSeccomp:2\n");
}

static void other_users_have_no_capabilities(void **state)
{
    box_need_root();
    struct box *box = *state;
    static const char passwd[] = "joe:x:1000:100::/home/joe:/bin/sh\n";
    static const char group[] = "wheel:x:10:joe\n";
    box->spec.passwd = passwd;
    box->spec.passwd_size = sizeof(passwd) - 1;
    box->spec.group = group;
    box->spec.group_size = sizeof(group) - 1;
    box->spec.user = "joe";
    box_expect(box,
               "id -u; id -g; id -G; echo $HOME; grep -E '^Cap(Eff|Prm|Bnd)' /proc/self/status | "
               "tr -d '\\t'; "
               "echo seen >/dev/stderr",
               "1000\n100\n100 10\n/home/joe\nCapPrm:0000000000000000\nCapEff:0000000000000000\n"
               "CapBnd:00000000a80425fb\nseen\n");
    struct error *err = NULL;
    box->spec.user = "jim";
    const char *const argv[] = { "/bin/true", NULL };
    assert_fails(box_try(box, argv, &err), err, ERR_NOT_FOUND, "user \"jim\"");
}

static void insecure_keeps_all_capabilities(void **state)
{
    box_need_root();
    struct box *box = *state;
    box->spec.insecure = true;
    box_sh(
        box,
        "grep -E '^CapEff' /proc/self/status; mkdir /m && mount -t tmpfs none /m && echo mounted");
    assert_non_null(strstr(box->out.data, "\nmounted\n"));
    assert_null(strstr(box->out.data, "a80425fb"));
}

static void environment_is_the_specs(void **state)
{
    box_need_root();
    struct box *box = *state;
    const char *const env[] = { "A=1", "B=", NULL };
    const char *const argv[] = { "/bin/env", NULL };
    assert_int_equal(setenv("CBUILD_TEST_LEAK", "1", 1), 0);
    box->spec.env = env;
    box_run(box, argv);
    assert_string_equal(
        box->out.data,
        "A=1\nB=\nPATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nHOME=/\n");
    box_expect(box, "cat /proc/1/environ | tr '\\0' ' '",
               "A=1 B= PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/ ");
}

static void command_is_pid_1_and_alone(void **state)
{
    box_need_root();
    struct box *box = *state;
    box_expect(box,
               "echo $$; readlink /proc/1/exe; cat /proc/1/cmdline | tr '\\0' ' ' | head -c 14; "
               "echo; set -- /proc/[0-9]*; echo $#", /* the shell's own: a command beside it may
                                                        start late */
               "1\n/bin/busybox\n/bin/sh -c ech\n1\n");
}

static void process_is_clean(void **state)
{
    box_need_root();
    struct box *box = *state;
    box_expect(box, "umask; hostname; pwd; wc -c </dev/stdin; ls /proc/self/fd | tr '\\n' ' '",
               "0022\nbuildkitsandbox\n/\n0\n0 1 2 3 ");
    box_expect(box, "setsid true; cat /proc/self/oom_score_adj | grep -c -- -; true", "0\n");
}

static void descriptors_of_ours_are_not_inherited(void **state)
{
    box_need_root();
    struct box *box = *state;
    int leaked = open("/", O_RDONLY | O_DIRECTORY); /* without O_CLOEXEC */
    int high = fcntl(leaked, F_DUPFD, 500);
    assert_true(high >= 500);
    box_expect(box, "ls /proc/1/fd; true", "0\n1\n2\n");
    (void)close(leaked);
    (void)close(high);
}

static void limits_are_set(void **state)
{
    box_need_root();
    struct box *box = *state;
    struct rlimit mine;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &mine), 0);
    box_sh(box, "ulimit -Sn; ulimit -Sc");
    assert_string_equal(box->out.data, "1024\n0\n");
    struct sandbox_ulimit ulimits[] = { { RLIMIT_NOFILE, 64, 128 }, { RLIMIT_CORE, 0, 0 } };
    const struct sandbox_limits limits = { .ulimits = ulimits, .n_ulimits = 2 };
    box->spec.limits = &limits;
    box_expect(box, "ulimit -Sn; ulimit -Hn; ulimit -Hc", "64\n128\n0\n");
}

static void masked_and_read_only_paths(void **state)
{
    box_need_root();
    struct box *box = *state;
    box_sh(box, "for f in kcore keys timer_list interrupts sched_debug latency_stats; do "
                "[ -e /proc/$f ] && cat /proc/$f; done; "
                "for d in acpi scsi; do [ -e /proc/$d ] && ls -A /proc/$d; done; ls -A "
                "/sys/firmware; true");
    assert_string_equal(box->out.data, "");
    box_expect(box,
               "for f in /proc/sys/kernel/hostname /proc/irq/default_smp_affinity /sys/x; do "
               "(echo x >$f) 2>&1 | sed 's/.*: //'; done | sort -u",
               "Read-only file system\n");
}

static void devices_are_few_and_others_stay_dead(void **state)
{
    box_need_root_of_the_host();
    struct box *box = *state;
    box_expect(box, "ls /dev | tr '\\n' ' '",
               "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero ");
    box_expect(box,
               "echo x >/dev/null; head -c 3 /dev/zero | wc -c; head -c 9 /dev/urandom | wc -c; "
               "echo x 2>/dev/null >/dev/full || echo full; stat -c %a /dev/shm; "
               "df /dev/shm | awk 'NR==2{print $2}'; ls /dev/pts",
               "3\n9\nfull\n1777\n65536\nptmx\n");
    /* null as made by the command itself: on the overlay, in /dev, in shm, on a tmpfs */
    box_sh(box, "for d in / /dev /dev/shm; do mknod $d/mine c 1 3 && cat $d/mine; done");
    assert_string_equal(box->out.data, "cat: can't open '//mine': Permission denied\n"
                                       "cat: can't open '/dev/mine': Permission denied\n"
                                       "cat: can't open '/dev/shm/mine': Permission denied\n");
    assert_string_equal(box->tree.data, "mine\n");
}

/* By times, which do the machine no harm when they do change: who sets those can set modes. */
static void attributes_of_the_hosts_devices_stay(void **state)
{
    box_need_root_of_the_host();
    struct box *box = *state;
    static const char *const names[] = { "/dev/null",   "/dev/zero",    "/dev/full",
                                         "/dev/random", "/dev/urandom", "/dev/tty" };
    box_sh(box, "touch -d @5 /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty; "
                "touch -d @5 /proc/keys /proc/timer_list 2>/dev/null; true");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct stat st;
        assert_int_equal(stat(names[i], &st), 0);
        if (st.st_mtime == 5)
            fail_msg("%s of the host was changed", names[i]);
    }
    box_expect(box, "chmod 600 /dev/null /dev/zero && stat -c %a /dev/null /dev/zero",
               "600\n600\n");
}

static void network_none_has_loopback_only(void **state)
{
    box_need_root();
    struct box *box = *state;
    box->spec.network_mode = NETWORK_NONE;
    box_expect(box, "ip -o link | awk '{print $2, $3}'", "lo: <LOOPBACK,UP,LOWER_UP>\n");
    const char *const extra[] = { "10.0.0.1\tbuild-host" };
    const char *const dns[] = { "10.0.0.53" };
    box->spec.extra_hosts = extra;
    box->spec.n_extra_hosts = 1;
    box->spec.dns = dns;
    box->spec.n_dns = 1;
    box_sh(box, "cat /etc/hosts; grep nameserver /etc/resolv.conf");
    assert_non_null(strstr(box->out.data, "127.0.0.1\tlocalhost buildkitsandbox\n"));
    assert_non_null(strstr(box->out.data, "10.0.0.1\tbuild-host\n"));
    assert_non_null(strstr(box->out.data, "nameserver 10.0.0.53\n"));
}

static void private_without_a_network_is_refused(void **state)
{
    box_need_root();
    struct box *box = *state;
    struct error *err = NULL;
    const char *const argv[] = { "/bin/true", NULL };
    box->spec.network_mode = NETWORK_PRIVATE;
    assert_fails(box_try(box, argv, &err), err, ERR_USAGE, "private network");
}

static const struct {
    const char *script;
    int status, signal;
    const char *error;
} statuses[] = {
    { "exit 0", 0, 0, NULL },
    { "exit 3", 3, 0, "exit code: 3" },
    { "exit 255", 255, 0, "exit code: 255" },
    { "exec sh -c 'exit 127'", 127, 0, "exit code: 127" },
    { "echo before; exit 1", 1, 0, "exit code: 1" },
};

static void status_is_reported(void **state)
{
    box_need_root();
    struct box *box = *state;
    for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
        struct error *err = NULL;
        box_sh(box, statuses[i].script);
        assert_int_equal(box->result.status, statuses[i].status);
        assert_int_equal(box->result.signal, statuses[i].signal);
        if (statuses[i].error)
            assert_fails(sandbox_result_check(&box->result, &err), err, ERR_RUN, statuses[i].error);
        else
            assert_ok(sandbox_result_check(&box->result, &err), err);
    }
}

static void signal_is_reported(void **state)
{
    box_need_root();
    struct box *box = *state;
    AUTO(error_free) struct error *err = NULL;
    /* pid 1 can't kill itself: a limit does */
    struct sandbox_ulimit ulimit = { RLIMIT_CPU, 1, 1 };
    const struct sandbox_limits limits = { .ulimits = &ulimit, .n_ulimits = 1 };
    box->spec.limits = &limits;
    box_sh(box, "echo last words; while :; do :; done");
    assert_int_equal(box->result.signal, SIGKILL);
    assert_int_equal(box->result.status, 128 + SIGKILL);
    assert_int_equal(sandbox_result_check(&box->result, &err), -1);
    assert_string_equal(error_message(err), "killed by signal 9 (Killed)");
    assert_string_equal(error_detail_text(err), "last words\n");
}

static const struct {
    const char *command;
    int status;
    const char *error;
} commands[] = {
    { "/bin/nothing", 127, "/bin/nothing: no such file or directory in the image" },
    { "nothing", 127, "nothing: no such file or directory in the image" },
    { "/bin/sh/x", 127, "/bin/sh/x: no such file or directory in the image" },
    { "/data", 126, "/data: permission denied" },
    { "/bin", 126, "/bin: permission denied" },
    { "/garbage", 126, "/garbage: exec format error" },
    { "/self", 126, "/self: Operation not permitted" },
    { "/proc/self/exe", 126, "/proc/self/exe: Operation not permitted" },
    { "/orphan", 127, "/orphan: the interpreter or loader that it needs is not in the image" },
};

static void command_that_cant_run_is_a_result(void **state)
{
    box_need_root();
    struct box *box = *state;
    box_write(box, "busybox/data", "data");
    box_write(box, "busybox/garbage", "\x01\x02\x03\x04");
    box_write(box, "busybox/orphan", "#!/no/such/shell\n");
    box_write(box, "busybox/self", "#!/proc/self/exe\n");
    assert_int_equal(fchmodat(box->dir->fd, "busybox/self", 0755, 0), 0);
    assert_int_equal(fchmodat(box->dir->fd, "busybox/garbage", 0755, 0), 0);
    assert_int_equal(fchmodat(box->dir->fd, "busybox/orphan", 0755, 0), 0);
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        struct error *err = NULL;
        const char *const argv[] = { commands[i].command, NULL };
        box_run(box, argv);
        assert_int_equal(box->result.status, commands[i].status);
        assert_fails(sandbox_result_check(&box->result, &err), err, ERR_RUN, commands[i].error);
    }
}

static void command_is_searched_in_the_images_path(void **state)
{
    box_need_root();
    struct box *box = *state;
    const char *const env[] = { "PATH=/nowhere:/data:/bin", NULL };
    const char *const argv[] = { "echo", "found", NULL };
    box_write(box, "busybox/data/echo", "not executable");
    box->spec.env = env;
    box_run(box, argv);
    assert_string_equal(box->out.data, "found\n");
}

static void output_of_megabytes_arrives_whole(void **state)
{
    box_need_root();
    struct box *box = *state;
    box_sh(box, "seq 1 300000; head -c 100000 /dev/zero | tr '\\0' x; echo end >&2");
    assert_int_equal(box->result.status, 0);
    assert_int_equal(box->out.size, 1988895 + 100000 + 4);
    assert_non_null(box->result.tail);
    assert_true(strlen(box->result.tail) <= 8192);
}

static void orphans_die_with_the_command(void **state)
{
    box_need_root();
    struct box *box = *state;
    uint64_t start = clock_monotonic_ms();
    /* daemons that keep the output open, ignore signals and have left the session */
    box_sh(box, "(trap '' TERM HUP INT; setsid sleep 1000) & setsid sh -c 'sleep 1000 & sleep "
                "1000' & echo done");
    assert_string_equal(box->out.data, "done\n");
    assert_int_equal(box->result.status, 0);
    assert_true(clock_monotonic_ms() - start < 300000);
}

static void *kill_soon(void *data)
{
    (void)poll(NULL, 0, 50); /* any time will do: a kill before start counts too */
    sandbox_kill(data);
    return NULL;
}

static void kill_ends_it_from_any_thread(void **state)
{
    box_need_root();
    struct box *box = *state;
    struct error *err = NULL;
    const char *const argv[] = { "/bin/sleep", "1000", NULL };
    box_prepare(box);
    box->spec.argv = argv;
    AUTO(sandbox_free) struct sandbox *sandbox = sandbox_create(&box->spec, &err);
    assert_ok_ptr(sandbox, err);
    assert_ok(sandbox_start(sandbox, &err), err);
    pid_t keeper = sandbox_pid(sandbox);
    assert_int_equal(kill(keeper, 0), 0);
    struct thread *thread = thread_start(kill_soon, sandbox, &err);
    assert_ok_ptr(thread, err);
    assert_ok(sandbox_wait(sandbox, &box->result, &err), err);
    (void)thread_join(thread);
    assert_int_equal(box->result.signal, SIGKILL);
    assert_int_equal(kill(keeper, 0), -1);
    assert_int_equal(errno, ESRCH);
}

/* A time to sleep that tells our process from others. */
static unsigned own_seconds(void)
{
    return 1000000 + (unsigned)getpid();
}

/* The host's pid of "sleep SECONDS", or 0. */
static pid_t find_sleep(unsigned seconds)
{
    AUTO(free) char *command = xasprintf("sleep %u", seconds);
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    struct error *err = NULL;
    assert_ok(fs_list(AT_FDCWD, "/proc", &names, &err), err);
    for (size_t i = 0; i < names.n; i++) {
        AUTO(error_free) struct error *gone = NULL;
        AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
        AUTO(free) char *path = xasprintf("/proc/%s/cmdline", names.items[i]);
        if (strspn(names.items[i], "0123456789") == strlen(names.items[i]) &&
            fs_read_file(AT_FDCWD, path, &text, 4096, &gone) == 0 &&
            text.size == strlen(command) + 1 && !strcmp(text.data, "sleep") &&
            !strcmp(text.data + 6, command + 6))
            return (pid_t)strtol(names.items[i], NULL, 10);
    }
    return 0;
}

/* cbuild killed in the middle: a process of its own that runs a step and is killed without notice.
 */
static void sandbox_dies_with_us(void **state)
{
    box_need_root();
    struct box *box = *state;
    const unsigned seconds = own_seconds();
    int ready[2];
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        AUTO(free) char *script = xasprintf("exec sleep %u", seconds);
        const char *const argv[] = { "/bin/sh", "-c", script, NULL };
        struct error *err = NULL;
        box_prepare(box);
        box->spec.argv = argv;
        struct sandbox *sandbox = sandbox_create(&box->spec, &err);
        if (sandbox && sandbox_start(sandbox, &err) == 0 && write(ready[1], "r", 1) == 1)
            _exit(sandbox_wait(sandbox, &box->result, &err));
        _exit(1);
    }
    char byte;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    pid_t inside = 0;
    for (int i = 0; i < 12000 && !inside; i++) {
        inside = find_sleep(seconds);
        (void)poll(NULL, 0, 10);
    }
    assert_true(inside > 0);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    for (int i = 0; i < 12000 && find_sleep(seconds); i++)
        (void)poll(NULL, 0, 10);
    assert_int_equal(find_sleep(seconds), 0);
    (void)close(ready[0]);
    (void)close(ready[1]);
}

static size_t count_mounts(void)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    struct error *err = NULL;
    assert_ok(fs_read_file(AT_FDCWD, "/proc/self/mountinfo", &text, 16 << 20, &err), err);
    size_t n = 0;
    for (const char *at = text.data; (at = strchr(at, '\n')); at++)
        n++;
    return n;
}

static void host_sees_no_mounts(void **state)
{
    box_need_root();
    struct box *box = *state;
    struct error *err = NULL;
    const char *const argv[] = { "/bin/sleep", "1000", NULL };
    /* a host of our own, where others that mount at this time aren't seen, but what a sandbox sends
     * is */
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) < 0)
        fail_msg("a mount namespace: %s", strerror(errno));
    size_t before = count_mounts();
    box_prepare(box);
    box->spec.argv = argv;
    AUTO(sandbox_free) struct sandbox *sandbox = sandbox_create(&box->spec, &err);
    assert_ok_ptr(sandbox, err);
    assert_ok(sandbox_start(sandbox, &err), err);
    assert_int_equal(count_mounts(), before);
    sandbox_kill(sandbox);
    assert_ok(sandbox_wait(sandbox, &box->result, &err), err);
}

static void cancel_ends_it(void **state)
{
    box_need_root();
    struct box *box = *state;
    const unsigned seconds = own_seconds();
    pid_t pid = fork(); /* a cancelled process stays so */
    if (pid == 0) {
        AUTO(free) char *script = xasprintf("trap '' INT TERM; exec sleep %u", seconds);
        const char *const argv[] = { "/bin/sh", "-c", script, NULL };
        struct error *err = NULL;
        if (cancel_init(&err) < 0)
            _exit(9);
        box_prepare(box);
        box->spec.argv = argv;
        struct sandbox *sandbox = sandbox_create(&box->spec, &err);
        if (!sandbox || sandbox_start(sandbox, &err) < 0 || kill(getpid(), SIGTERM) < 0)
            _exit(8);
        int result = sandbox_wait(sandbox, &box->result, &err);
        _exit(result == -1 && error_is(err, ERR_CANCELLED) && sandbox_pid(sandbox) == 0 ? 0 : 7);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(find_sleep(seconds), 0);
}

struct parallel {
    struct box *box;
    unsigned index;
    struct strbuf out;
    int status;
};

static void parallel_log(void *data, const void *bytes, size_t size, bool error_stream)
{
    (void)error_stream;
    strbuf_add(data, bytes, size);
}

static void *run_parallel(void *data)
{
    struct parallel *parallel = data;
    AUTO(error_free) struct error *err = NULL;
    AUTO(free) char *script = xasprintf("sleep 0.1; echo out %u", parallel->index);
    AUTO(free) char *upper = xasprintf("%s/u%u", parallel->box->dir->path, parallel->index);
    AUTO(free) char *scratch = xasprintf("%s/s%u", parallel->box->dir->path, parallel->index);
    const char *const argv[] = { "/bin/sh", "-c", script, NULL };
    AUTO(sandbox_result_release) struct sandbox_result result = { 0 };
    struct sandbox_spec spec = parallel->box->spec;
    spec.argv = argv;
    spec.root =
        (struct sandbox_tree){ parallel->box->lowers, parallel->box->n_lowers, upper, false };
    spec.scratch = scratch;
    spec.log = parallel_log;
    spec.log_data = &parallel->out;
    parallel->status = -1;
    if (mkdir(upper, 0755) == 0 && mkdir(scratch, 0755) == 0 &&
        sandbox_run(&spec, &result, &err) == 0)
        parallel->status = result.status;
    return NULL;
}

static void many_run_at_once(void **state)
{
    box_need_root();
    struct box *box = *state;
    struct parallel parallel[8];
    struct thread *threads[ARRAY_SIZE(parallel)];
    struct error *err = NULL;
    for (unsigned i = 0; i < ARRAY_SIZE(parallel); i++) {
        parallel[i] = (struct parallel){ .box = box, .index = i };
        strbuf_init(&parallel[i].out);
        threads[i] = thread_start(run_parallel, &parallel[i], &err);
        assert_ok_ptr(threads[i], err);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(parallel); i++) {
        AUTO(free) char *expected = xasprintf("out %u\n", i);
        (void)thread_join(threads[i]);
        assert_int_equal(parallel[i].status, 0);
        assert_string_equal(parallel[i].out.data, expected);
        strbuf_release(&parallel[i].out);
    }
}

static void set_up_errors_name_the_step(void **state)
{
    box_need_root();
    struct box *box = *state;
    struct error *err = NULL;
    const char *const argv[] = { "/bin/true", NULL };
    free((void *)(uintptr_t)box->lowers[0]);
    box->lowers[0] = xstrdup("/no/such/layer");
    assert_fails(box_try(box, argv, &err), err, ERR_NOT_FOUND, "mounting the layers as an overlay");
}

static void a_step_takes_milliseconds(void **state)
{
    box_need_root();
    struct box *box = *state;
    const char *const argv[] = { "/bin/true", NULL };
    int64_t best = INT64_MAX;
    for (int i = 0; i < 20; i++) {
        int64_t start = clock_now_ns();
        box_run(box, argv);
        int64_t taken = clock_now_ns() - start;
        best = taken < best ? taken : best;
    }
    print_message("# a step took %.2f ms at best\n", (double)best / 1e6);
}

int main(int argc UNUSED, char **argv)
{
    box_become_root(argv);
    const struct CMUnitTest tests[] = {
        SANDBOX_TEST(root_has_a_default_containers_privileges),
        SANDBOX_TEST(other_users_have_no_capabilities),
        SANDBOX_TEST(insecure_keeps_all_capabilities),
        SANDBOX_TEST(environment_is_the_specs),
        SANDBOX_TEST(command_is_pid_1_and_alone),
        SANDBOX_TEST(process_is_clean),
        SANDBOX_TEST(descriptors_of_ours_are_not_inherited),
        SANDBOX_TEST(limits_are_set),
        SANDBOX_TEST(masked_and_read_only_paths),
        SANDBOX_TEST(devices_are_few_and_others_stay_dead),
        SANDBOX_TEST(attributes_of_the_hosts_devices_stay),
        SANDBOX_TEST(network_none_has_loopback_only),
        SANDBOX_TEST(private_without_a_network_is_refused),
        SANDBOX_TEST(status_is_reported),
        SANDBOX_TEST(signal_is_reported),
        SANDBOX_TEST(command_that_cant_run_is_a_result),
        SANDBOX_TEST(command_is_searched_in_the_images_path),
        SANDBOX_TEST(output_of_megabytes_arrives_whole),
        SANDBOX_TEST(orphans_die_with_the_command),
        SANDBOX_TEST(kill_ends_it_from_any_thread),
        SANDBOX_TEST(sandbox_dies_with_us),
        SANDBOX_TEST(host_sees_no_mounts),
        SANDBOX_TEST(cancel_ends_it),
        SANDBOX_TEST(many_run_at_once),
        SANDBOX_TEST(set_up_errors_name_the_step),
        SANDBOX_TEST(a_step_takes_milliseconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
