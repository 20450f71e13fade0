"""Words of the line under the base model: where it is, what its download costs, how far it is."""

from engine.errors import Sentence

WORDS = {
    "base_here": Sentence("here", "已在本机"),
    "base_size": Sentence("{gib} GiB", "{gib} GiB"),
    "base_to_download": Sentence("{gib} GiB to download", "需下载 {gib} GiB"),
    "base_partly": Sentence("{done} of {gib} GiB here", "{gib} GiB 中已有 {done} GiB"),
    "base_free": Sentence("{gib} GiB free on the disk", "磁盘还剩 {gib} GiB"),
    "base_licence": Sentence("licence {licence}", "许可证 {licence}"),
    "base_no_licence": Sentence("no licence named", "未注明许可证"),
    "base_gated": Sentence("gated: ask for access", "需授权：申请访问"),
    "base_page": Sentence("about it", "模型介绍"),
    "base_no_room": Sentence(
        "Not enough room on the disk: {gib} GiB are missing.", "磁盘空间不足：还差 {gib} GiB。"
    ),
    "base_begins": Sentence("Asking for the files …", "正在获取文件列表……"),
    "base_going": Sentence("Downloading, {done} of {total} GiB", "正在下载，{done} / {total} GiB"),
    "base_speed": Sentence("{speed} GiB/s", "每秒 {speed} GiB"),
    "base_left": Sentence("{left} left", "还剩 {left}"),
    "base_download": Sentence("Download", "下载"),
    "base_stop": Sentence("Stop", "停止"),
}
