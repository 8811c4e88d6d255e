"""From a merged tree to the target: its resolution, its tests, the landing, the checkout."""
