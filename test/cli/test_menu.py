# SPDX-License-Identifier: Apache-2.0
"""All commands, found by walking the menus: what each of them has to have."""

import re

import pytest

from conftest import Cli, closed_port

# Commands that show nothing but what they log.
SHOW_NOTHING = {("serve",)}
# Commands that ask no broker, but look at files.
LOCAL = {("log", "dump"), ("log", "verify"), ("log", "flatten"), ("log", "import")}
# What they need to get as far as the broker, where it is more than one NAME.
WORDS = {
    ("topic", "alter"): ["t", "--partitions", "2"], ("topic", "delete"): ["t", "--yes"],
    ("topic", "why"): ["t"],
    ("topic", "move-log"): ["t", "--to", "/d"],
    ("topic", "delete-records"): ["t", "--before", "1", "--yes"],
    ("config", "describe"): ["topic", "t"], ("config", "set"): ["topic", "t", "a=b"],
    ("config", "unset"): ["topic", "t", "a"],
    ("group", "reset"): ["g", "--topic", "t", "--to", "end"],
    ("group", "offsets", "delete"): ["g", "--topic", "t"],
    ("produce",): ["t"], ("consume",): ["t"],
}


def commands_of(cli, menu=()):
    """The names of all commands, each with those of the menus above it."""
    text = cli.good(*menu, "--help").out
    if menu and " COMMAND ..." not in text.splitlines()[0]:
        return [menu]
    names = re.findall(r"^  ([a-z][a-z-]*) +\S", text, re.M)
    names = [n for n in names if n != "klamm"]
    assert names, text
    return [command for name in names for command in commands_of(cli, (*menu, name))]


@pytest.fixture
def commands(cli):
    return commands_of(cli)


def test_the_walk_finds_them(commands):
    assert {("serve",), ("produce",), ("topic", "list"), ("config", "set"), ("cluster", "apis"),
            ("group", "offsets", "delete")} <= set(commands)
    assert set(WORDS) | SHOW_NOTHING | LOCAL <= set(commands)


def test_all_that_show_something_have_json(cli, commands):
    for command in commands:
        if command in SHOW_NOTHING:
            continue
        text = cli.good(*command, "--help").out
        assert re.search(r"^  --json  ", text, re.M), f"{command} tells nothing of --json"
        line = cli.failing(*command, "--json", "--frob", code=2)
        assert '"--frob"' in line, line  # not --json


def test_all_have_help(cli, commands):
    for command in commands:
        done = cli.good(*command, "--help")
        assert done.lines[0].startswith("usage: klamm " + " ".join(command))
        if command not in SHOW_NOTHING:
            assert all(len(line) <= 100 for line in done.lines), command
            assert ("--bootstrap" in done.out) == (command not in LOCAL) and "--help" in done.out


def words_for(cli, command):
    usage = cli.good(*command, "--help").lines[0]
    is_named = usage.startswith("usage: klamm " + " ".join(command) + " NAME")
    return WORDS.get(command, ["x"] if is_named else [])


def test_nobody_listens(cli, binary, commands):
    nobody = Cli(binary, f"127.0.0.1:{closed_port()}")
    for command in commands:
        if command in SHOW_NOTHING | LOCAL:
            continue
        words = words_for(cli, command)
        for more in ([], ["--json"]):
            done = nobody(*command, *words, *more)
            assert done.code == 1 and done.out == "", command
            assert "no broker at 127.0.0.1:" in done.line


def test_set_of_serve_needs_a_setting(cli):
    assert cli.failing("serve", "--set", code=2) == (
        "klamm: serve: --set needs KEY=VALUE; see klamm serve --help")
    assert "an empty line where klamm.admin.listener is" in cli.good("serve", "--help").out
