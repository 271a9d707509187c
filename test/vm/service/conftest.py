# SPDX-License-Identifier: BSD-2-Clause
"""
What a failure is shown with, and when: the last that the daemons and the service manager said, at
once. The end may be one that the machine does not live to see.
"""

import subprocess

import pytest


def pytest_configure(config):
    config.pluginmanager.register(Telling(config.pluginmanager))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport():
    report = (yield).get_result()
    if report.failed:
        said = subprocess.run(["journalctl", "--no-pager", "-o", "short-monotonic", "-n", "60"],
                              text=True, capture_output=True, check=False)
        report.sections.append(("journal", said.stdout))


def pytest_sessionfinish(session):
    session.config.option.tbstyle = "no"    # they have been told


class Telling:
    """Writes a failure out as soon as it has happened."""

    def __init__(self, plugins):
        self._plugins = plugins

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report):
        if not report.failed:
            return
        terminal = self._plugins.getplugin("terminalreporter")
        terminal.ensure_newline()
        terminal.write_line(f"{report.when}, {report.duration:.0f} s\n{report.longreprtext}")
        for title, text in report.sections:
            terminal.write_line(f"--- {title} ---\n{text}")
