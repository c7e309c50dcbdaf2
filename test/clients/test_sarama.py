# SPDX-License-Identifier: Apache-2.0
"""sarama. Its producer is not idempotent unless told so: what is acknowledged is there at least once."""

from go_scenarios import GoScenarios


class TestSarama(GoScenarios):
    family = "sarama"
