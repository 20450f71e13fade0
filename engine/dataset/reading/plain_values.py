"""Cells of Parquet, Arrow and Excel as values that JSON holds: text, numbers, lists, objects."""

import datetime
import math
from decimal import Decimal
from typing import Any


def plain(value: Any) -> Any:
    """Dates become ISO text, bytes become text, what is no finite number becomes None."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float | Decimal):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return str(value)
