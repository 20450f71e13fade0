"""What a command prints: one JSON document, or a line for each part."""

import argparse
import json
from typing import Any


def show(options: argparse.Namespace, report: dict[str, Any]) -> None:
    if options.json:
        print(json.dumps(report, ensure_ascii=False))
        return
    for name, value in report.items():
        print(f"{name}: {json.dumps(value, ensure_ascii=False)}")
