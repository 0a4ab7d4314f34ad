#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The example file, the page of the configuration, the manual pages and the completions of shells have what the
rows of the configuration and the table of flags give, byte by byte. With --write they get it.

Usage: check_documents.py PRINT_ROWS [--write]
"""

import json
import pathlib
import re
import subprocess
import sys
import textwrap

TOP = pathlib.Path(__file__).resolve().parents[2]

BEGIN = "Generated: tests/lint/check_documents.py --write"
END = "End of what is generated"

HEAD = """\
# dnstap_exporter's configuration: every key with its default. All of it may be left out.
#
#   dnstap_exporter --config.file=/etc/dnstap_exporter/dnstap_exporter.yml
#
# SIGHUP reads it again. Keys marked (live) change then; a change of any other is named in a warning and
# takes effect after a restart. A mistake leaves the configuration in force as it is.
#
# Durations are written as in Prometheus: 500ms, 10s, 1m30s, 1h.
"""


def wrapped(text, indent, first="# ", others="# ", width=110):
    return textwrap.wrap(text, width, initial_indent=indent + first, subsequent_indent=indent + others,
                         break_long_words=False, break_on_hyphens=False)


# --- The example file

def example_row(row, indent, is_comment):
    value = row["built_in"] or row["example"] or row["initial"]
    lines = wrapped(row["help"] + (" (live)" if row["live"] else ""), indent)
    lead, others = ("# ", "#   ") if is_comment else ("", "  ")
    return lines + wrapped(f"{row['key'].rpartition('.')[2]}: {value}", indent, lead, others)


def opened(parts, before):
    """The mappings that a key is in and the key before it is not."""
    return ["  " * (level - 1) + parts[level - 1] + ":" for level in range(1, len(parts))
            if before[:level] != parts[:level]]


def example_list(section, before):
    """One entry: the built-in one, or an example in comments."""
    parts = section["list"].split(".")
    lines = [f"{parts[-1]}:"]
    mapping = ""
    for index, row in enumerate(section["rows"]):
        inside = row["key"].rpartition(".")[0]
        if inside not in ("", mapping):
            lines.append(f"    # {inside}:")
            mapping = inside
        lines += (example_row(row, "    #   ", False) if inside else
                  example_row(row, "    " if index > 0 else "  ", row["alternative"]))
        if index == 0:
            lines[-1] = lines[-1].replace("  ", "  - ", 1)
    is_built_in = any(row["built_in"] for row in section["rows"])
    indent = "  " * (len(parts) - 1)
    help_text = wrapped(section["help"], indent) if section["help"] and indent else []
    return (opened(parts, before) + help_text +
            [indent + ("" if is_built_in else "# ") + line for line in lines]), parts[:-1]


def example_section(section, before):
    """Rows, after the mappings that the key `before` is not in."""
    lines = []
    for row in section["rows"]:
        parts = row["key"].split(".")
        lines += opened(parts, before)
        before = parts[:-1]
        lines += example_row(row, "  " * len(before), row["example"] is not None)
    return lines, before


def example(rows):
    lines = []
    before = []
    for section in rows["sections"]:
        is_inside = "." in (section["list"] or "")
        if section["title"] or (section["help"] and not is_inside):
            lines.append("")
        if section["help"] and not is_inside:
            lines += wrapped(section["help"], "")
        added, before = (example_list if section["list"] else example_section)(section, before)
        lines += added
    return HEAD + "\n".join(lines) + "\n"


# --- Manual pages

def sentences(text):
    """Each begins a line, as mdoc has it, which takes lines below 80 characters."""
    lines = []
    for sentence in re.split(r"(?<=\.) ", text.replace("\\", "\\e")):
        lines += textwrap.wrap(sentence, 78, break_long_words=False, break_on_hyphens=False)
    # A dot or a quote at the beginning is a request.
    return ["\\&" + line if line[0] in ".'" else line for line in lines]


def default_of(row):
    if row["all"]:
        return "all of them"
    return None if row["built_in"] or row["example"] else row["initial"]


def taken_by(row):
    if not row["list"]:
        return f"Takes {row['expected']}."
    return f"Takes a list{' of at most ' + str(row['most']) if row['most'] else ''}: {row['expected']}."


def help_of(section):
    bound = f"A list of at most {section['max']} entries." if section["list"] else ""
    return f"{section['help'] or ''} {bound}".strip()


def keys(rows):
    lines = []
    for section in rows["sections"]:
        if section["title"]:
            lines += [".El"] if lines else []
            lines.append(f".Ss {section['title']}")
            lines += sentences(help_of(section))
            lines.append(".Bl -tag -width Ds")
        for row in section["rows"]:
            key = f"{section['list']}.{row['key']}" if section["list"] else row["key"]
            lines.append(f".It Cm {key}" + (" Pq live" if row["live"] else ""))
            default = default_of(row)
            lines += sentences(f"Default: {default}.") if default is not None else []
            lines += sentences(row["help"]) + sentences(taken_by(row))
    return "\n".join(lines) + "\n.El\n"


def flags(rows):
    lines = []
    for flag in rows["flags"]:
        lines.append(f".It Fl -{flag['name']}" + (f" Ns = Ns Ar {flag['argument']}" if flag["argument"] else ""))
        if flag["of"]:
            lines += ["Of"] + "\nand\n".join(f".Cm {command}" for command in flag["of"]).split("\n")
            lines[-1] += " :"
        lines += sentences(flag["help"])
        lines += ["May be given again."] if flag["repeats"] else []
        lines += sentences(f"Default: {flag['initial']}.") if flag["initial"] else []
    return "\n".join(lines) + "\n"


# --- The page of the configuration

def cell(text):
    return text.replace("|", "\\|")


def page_row(prefix, row):
    default = default_of(row)
    value = "" if default is None or default == "" else default if row["all"] else f"`{default}`"
    said = f"{row['help']} Takes {'a list: ' if row['list'] else ''}{row['expected']}."
    return f"| `{prefix}{row['key']}` | {cell(value)} | {'yes' if row['live'] else ''} | {cell(said)} |"


def page_flag(flag):
    commands = " ".join(f"`{command}`" for command in flag["of"])
    said = f"{flag['help']}{' May be given again.' if flag['repeats'] else ''}"
    name = f"--{flag['name']}" + (f"={flag['argument']}" if flag["argument"] else "")
    return f"| `{name}` | {cell(flag['initial'] or '')} | {commands} | {cell(said)} |"


def page(rows):
    lines = []
    for section in rows["sections"]:
        if section["title"]:
            lines += ["", f"### {section['title']}"]
        if section["help"]:
            lines += ["", help_of(section)]
        # Sections without a title or words of their own go on with the table before.
        if section["title"] or section["help"]:
            lines += ["", "| key | default | live | |", "|---|---|---|---|"]
        prefix = f"{section['list']}[]." if section["list"] else ""
        lines += [page_row(prefix, row) for row in section["rows"]]
    lines += ["", "## Flags", "", "| flag | default | also of | |", "|---|---|---|---|"]
    return "\n".join(lines + [page_flag(flag) for flag in rows["flags"]]) + "\n\n"


# --- Completions

def bash_case(names, action):
    return ["    " + " | ".join(f"--{name}" for name in names) + ")"] + action + ["        return", "        ;;"]


def bash(rows):
    taking = [flag for flag in rows["flags"] if flag["argument"]]
    words = " ".join(f"--{flag['name']}" + ("=" if flag["argument"] else "") for flag in rows["flags"])
    lines = wrapped(f"local flags='{words}'", "    ", "", "    ") + ["    case $prev in"]
    actions = {"yaml": ["        _filedir '@(yml|yaml)'"], "file": ["        _filedir"], "nothing": []}
    for completion, action in actions.items():
        lines += bash_case([flag["name"] for flag in taking if flag["completion"] == completion], action)
    for flag in taking:
        if flag["completion"] == "words":
            choices = " ".join(flag["words"])
            lines += bash_case([flag["name"]],
                               [f"        mapfile -t COMPREPLY < <(compgen -W '{choices}' -- \"$cur\")"])
    return "\n".join(lines + ["    esac"]) + "\n"


def zsh_action(flag):
    return {"yaml": '_files -g "*.(yml|yaml)"', "file": "_files", "nothing": "",
            "words": f"({' '.join(flag['words'])})"}[flag["completion"]]


def zsh(rows):
    lines = []
    for flag in rows["flags"]:
        help_text = re.split(r"(?<=\.) ", flag["help"])[0].removesuffix(".")
        help_text = re.sub(r"([\[\]:])", r"\\\1", ("of " + " and ".join(flag["of"]) + ": " if flag["of"] else "") + help_text)
        before = "(- *)" if flag["ends"] else "*" if flag["repeats"] else ""
        argument = f"=[{help_text}]:{flag['argument']}:{zsh_action(flag)}" if flag["argument"] else f"[{help_text}]"
        lines.append("    '" + f"{before}--{flag['name']}{argument}".replace("'", "'\\''") + "'")
    return "\n".join(lines) + "\n"


# File, what is in it; all of the file, or the lines between those that contain BEGIN and END.
DOCUMENTS = (
    ("config/dnstap_exporter.yml", example, True),
    ("deploy/configuration.md", page, False),
    ("deploy/man/dnstap_exporter.yml.5", keys, False),
    ("deploy/man/dnstap_exporter.8", flags, False),
    ("deploy/completion/dnstap_exporter.bash", bash, False),
    ("deploy/completion/_dnstap_exporter", zsh, False),
)


def made_of(name, text, generated):
    lines = text.splitlines(keepends=True)
    begins = [i for i, line in enumerate(lines) if BEGIN in line]
    ends = [i for i, line in enumerate(lines) if END in line]
    if len(begins) != 1 or len(ends) != 1:
        raise ValueError(f"{name}: it needs one line with '{BEGIN}' and one with '{END}'")
    return "".join(lines[:begins[0] + 1]) + generated + "".join(lines[ends[0]:])


def main():
    rows = json.loads(subprocess.run([sys.argv[1]], capture_output=True, text=True, check=True).stdout)
    write = "--write" in sys.argv
    faults = 0
    for name, make, is_whole in DOCUMENTS:
        path = TOP / name
        text = path.read_text(encoding="utf-8")
        expected = make(rows) if is_whole else made_of(name, text, make(rows))
        if text != expected and write:
            path.write_text(expected, encoding="utf-8")
            print(f"{name}: written")
        elif text != expected:
            print(f"{name}: differs from what the tables give; {pathlib.Path(__file__).name} --write makes it so")
            faults += 1
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
