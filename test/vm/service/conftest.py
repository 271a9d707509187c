# SPDX-License-Identifier: BSD-2-Clause
"""What a failure is shown with: the last that the daemons and the service manager said."""

import subprocess

import pytest


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport():
    report = (yield).get_result()
    if report.failed:
        said = subprocess.run(["journalctl", "--no-pager", "-o", "short-monotonic", "-n", "60"],
                              text=True, capture_output=True, check=False)
        report.sections.append(("journal", said.stdout))
