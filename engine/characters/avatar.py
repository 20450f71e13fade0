"""The picture of a character: made small and written anew, or drawn where there is none."""

import colorsys
import hashlib
import io
import warnings
from functools import lru_cache

from engine.errors import UserError

LARGEST_FILE = 24 * 2**20  # bytes
MOST_PIXELS = 40_000_000
LONGEST_SIDE = 768
_DRAWN_SIDE = 400


def reencoded(picture: bytes) -> bytes:
    """A PNG or JPEG as a PNG of at most LONGEST_SIDE pixels a side, without anything else that was
    in the file. Raises UserError (field "avatar")."""
    from PIL import Image, ImageOps

    if len(picture) > LARGEST_FILE:
        raise _refused(
            f"it has {len(picture) / 2**20:.0f} MiB; at most {LARGEST_FILE // 2**20} are allowed",
            f"文件有 {len(picture) / 2**20:.0f} MiB，最多 {LARGEST_FILE // 2**20} MiB",
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a large picture: refused below
            with Image.open(io.BytesIO(picture), formats=("PNG", "JPEG")) as opened:
                if opened.width * opened.height > MOST_PIXELS:
                    raise _refused(
                        f"it has {opened.width} x {opened.height} pixels",
                        f"图片有 {opened.width} x {opened.height} 像素",
                    )
                opened.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))  # a JPEG is read smaller at once
                upright = ImageOps.exif_transpose(opened)
                has_alpha = upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info
                image = upright.convert("RGBA" if has_alpha else "RGB")
        image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
        out = io.BytesIO()
        image.save(out, "PNG")
    except UserError:
        raise
    # Pillow's decoders raise of all kinds for broken files: OSError, SyntaxError, struct.error ...
    except Exception as error:
        raise _refused(
            "it is no PNG or JPEG that can be read", "不是可以读取的 PNG 或 JPEG"
        ) from error
    return out.getvalue()


@lru_cache(maxsize=64)
def drawn(name: str) -> bytes:
    """A plain bust as a PNG, in a colour that belongs to the name."""
    from PIL import Image, ImageDraw

    hue = hashlib.sha256(name.encode("utf-8")).digest()[0] / 256
    back, front = (
        tuple(round(255 * part) for part in colorsys.hls_to_rgb(hue, light, 0.28))
        for light in (0.86, 0.42)
    )
    side = 4 * _DRAWN_SIDE  # drawn large and made small: smooth edges
    image = Image.new("RGB", (side, side), back)
    draw = ImageDraw.Draw(image)
    middle = side // 2
    head, shoulders = side * 0.17, side * 0.34
    draw.circle((middle, side * 0.4), head, fill=front)
    draw.ellipse((middle - shoulders, side * 0.64, middle + shoulders, side * 1.3), fill=front)
    out = io.BytesIO()
    image.resize((_DRAWN_SIDE, _DRAWN_SIDE)).save(out, "PNG")
    return out.getvalue()


def _refused(en: str, zh: str) -> UserError:
    return UserError(
        f"This picture cannot be used: {en}. Choose a smaller PNG or JPEG.",
        f"这张图片不能用：{zh}。请换一张小一点的 PNG 或 JPEG。",
        field="avatar",
    )
