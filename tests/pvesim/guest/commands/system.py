"""Programs that tell about or change the system."""

import datetime
import re

from tests.pvesim.guest.commands.options import split_options
from tests.pvesim.guest.guest import Guest
from tests.pvesim.guest.machine import Process, command

KERNEL = "6.14.11-4-pve"


@command(
    "true",
    "sync",
    "clear",
    "reset",
    "resize",
    "ldconfig",
    "mount",
    "umount",
    "modprobe",
    "chpasswd",
    "adduser",
    "addgroup",
    "useradd",
    "usermod",
    "groupadd",
    "passwd",
    "update-ca-certificates",
    "locale-gen",
    "sysctl",
    "renice",
)
async def succeed(process: Process) -> int:
    return 0


@command("false")
async def be_false(process: Process) -> int:
    return 1


@command("id", "whoami")
async def show_identity(process: Process) -> int:
    if process.name == "whoami":
        return process.say("root")
    options, _ = split_options(process.args)
    if {"-u", "-g", "-G"} & set(options):
        return process.say("root" if "-n" in options else "0")
    return process.say("uid=0(root) gid=0(root) groups=0(root)")


@command("uname", directory="/bin")
async def show_kernel(process: Process) -> int:
    fields = {
        "-s": "Linux",
        "-n": process.machine.hostname,
        "-r": KERNEL,
        "-v": "#1 SMP PREEMPT_DYNAMIC PMX",
        "-m": "x86_64",
    }
    options, _ = split_options(process.args)
    chosen = [value for flag, value in fields.items() if "-a" in options or flag in options]
    return process.say(" ".join([*(chosen or ["Linux"]), *(["GNU/Linux"] if "-a" in options else [])]))


@command("arch")
async def show_architecture(process: Process) -> int:
    return process.say("x86_64")


@command("dpkg-architecture", packages=("apt",))
async def show_debian_architecture(process: Process) -> int:
    return process.say("amd64")


@command("hostname", directory="/bin")
async def show_hostname(process: Process) -> int:
    machine = process.machine
    addresses = [machine.place.address] if isinstance(machine, Guest) and machine.place.address else []
    if "-I" in process.args:
        if machine.flavour == "alpine":
            return process.complain("hostname: unrecognized option: I\nBusyBox v1.37.0 multi-call binary.", 1)
        return process.say("".join(f"{address} " for address in addresses))
    if "-i" in process.args:
        return process.say(" ".join(addresses))
    operands = split_options(process.args)[1]
    if operands:
        machine.hostname = operands[0]
        return 0
    return process.say(machine.hostname)


@command("date", directory="/bin")
async def show_date(process: Process) -> int:
    options, operands = split_options(process.args, valued=("-d", "-r"))
    seconds = (
        float(options["-d"].lstrip("@")) if options.get("-d", "").startswith("@") else process.world.clock()
    )
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    form = next((o[1:] for o in operands if o.startswith("+")), "%a %b %e %H:%M:%S UTC %Y")
    if {"-I", "-Iseconds", "--iso-8601"} & set(options):
        form = "%Y-%m-%dT%H:%M:%S+00:00"
    form = form.replace("%s", str(int(seconds))).replace("%N", f"{int(seconds % 1 * 1e9):09d}")
    return process.say(moment.strftime(form))


@command("nproc")
async def count_processors(process: Process) -> int:
    return process.say(str(process.machine.place.cores if isinstance(process.machine, Guest) else 8))


@command("free")
async def show_memory(process: Process) -> int:
    total = process.machine.place.memory if isinstance(process.machine, Guest) else 32768
    divisor = 1 if "-m" in process.args else 1 / 1024
    used = total // 4
    process.say("               total        used        free      shared  buff/cache   available")
    return process.say(
        "Mem:    "
        + " ".join(f"{int(n / divisor):>11}" for n in (total, used, total - used, 0, 0, total - used))
    )


@command("uptime")
async def show_uptime(process: Process) -> int:
    return process.say(" 12:00:00 up 1 min,  0 users,  load average: 0.00, 0.00, 0.00")


@command("ps", directory="/bin")
async def show_processes(process: Process) -> int:
    machine = process.machine
    programs = (
        machine.list_programs() if isinstance(machine, Guest) else ["/sbin/init", "pvedaemon", "pveproxy"]
    )
    process.say(
        "PID   USER     TIME  COMMAND" if machine.flavour == "alpine" else "    PID TTY          TIME CMD"
    )
    for pid, program in enumerate([*programs, " ".join(process.argv)], start=1):
        process.say(f"{pid:>7} root     0:00  {program}")
    return 0


@command("pgrep", "pidof")
async def find_processes(process: Process) -> int:
    machine = process.machine
    wanted = split_options(process.args)[1][-1]
    programs = machine.list_programs() if isinstance(machine, Guest) else []
    found = [str(pid) for pid, program in enumerate(programs, start=1) if wanted in program]
    return process.say("\n".join(found)) if found else 1


@command("kill", "killall", "pkill", directory="/bin")
async def kill_processes(process: Process) -> int:
    words = process.args[1:] if re.fullmatch(r"-\w+", " ".join(process.args[:1])) else process.args
    pids = [int(word) for word in words if word.isdigit()]
    if "-0" in process.args:
        return 0 if all(process.machine.is_job_running(pid) for pid in pids) else 1
    process.machine.stop_jobs(pids or [0])
    return 0


@command("stty")
async def set_terminal(process: Process) -> int:
    if process.terminal is None:
        return process.fail("'standard input': Inappropriate ioctl for device")
    for word in process.args:
        if word in ("echo", "-echo"):
            process.terminal.echo = word == "echo"
        elif word == "sane":
            process.terminal.echo = True
    size = f"{process.terminal.rows} {process.terminal.columns}"
    return process.say(size) if process.args == ["size"] else 0


@command("tty")
async def show_terminal(process: Process) -> int:
    return process.say("/dev/tty1") if process.terminal else (process.say("not a tty") or 1)


@command("getent")
async def look_up_name(process: Process) -> int:
    if process.args[:1] == ["hosts"] and process.args[1:] == ["localhost"]:
        return process.say("127.0.0.1       localhost")
    if process.args[:1] == ["passwd"]:
        return process.say("root:x:0:0:root:/root:/bin/sh")
    return 2


@command("dpkg", "dpkg-query", packages=("apt",))
async def query_packages(process: Process) -> int:
    names = split_options(process.args, valued=("-W", "-f"))[1]
    if "--print-architecture" in process.args:
        return process.say("amd64")
    if "-l" in process.args or "-s" in process.args:
        missing = [name for name in names if name not in process.machine.packages]
        for name in names:
            if name in process.machine.packages:
                process.say(
                    f"Package: {name}\nStatus: install ok installed"
                    if "-s" in process.args
                    else f"ii  {name}"
                )
        return process.complain(f"dpkg-query: no packages found matching {missing[0]}") if missing else 0
    return 0


@command("reboot", "poweroff", "halt", "shutdown", directory="/sbin")
async def power_off(process: Process) -> int:
    return process.complain("Failed to connect to bus: Operation is not permitted")


@command("journalctl", packages=("systemd",))
async def show_journal(process: Process) -> int:
    machine = process.machine
    return process.say(
        "\n".join(machine.journal[-50:])
        if isinstance(machine, Guest) and machine.journal
        else "-- No entries --"
    )


@command("dmesg")
async def show_kernel_log(process: Process) -> int:
    return process.complain("dmesg: read kernel buffer failed: Operation not permitted")


@command("systemd-detect-virt", packages=("systemd",))
async def show_virtualisation(process: Process) -> int:
    return process.say("lxc")


@command("lsb_release", packages=("lsb-release",))
async def show_release(process: Process) -> int:
    machine = process.machine
    assert isinstance(machine, Guest)
    return process.say({"12": "bookworm", "13": "trixie"}.get(machine.release, "sid"))
