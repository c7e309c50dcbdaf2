# SPDX-License-Identifier: Apache-2.0
"""franz-go, with its administration client kadm. Its producer is idempotent: each record once."""

from go_scenarios import GoScenarios


class TestFranzGo(GoScenarios):
    family = "franz-go"
