# SPDX-License-Identifier: Apache-2.0
"""What happens next: Temporal workflows. They import models and activities.interface, and touch nothing else."""
