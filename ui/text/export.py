"""Words of the Export tab."""

from engine.errors import Sentence

WORDS = {
    "export_run": Sentence("What leaves", "导出哪一次训练"),
    "export_run_help": Sentence(
        "Every run that has an adapter, newest first.", "所有已有适配器的训练，新的在前。"
    ),
    "export_empty": Sentence(
        "Nothing can leave yet: no run has an adapter. Train one, and come back when it is done.",
        "还没有可以导出的东西：没有任何训练留下适配器。先训练一次，完成后再来。",
    ),
    "export_facts": Sentence(
        "{method} on {base} · {state}, step {step}", "{base} 上的 {method} · {state}，第 {step} 步"
    ),
    "export_adapter_title": Sentence("Adapter", "适配器"),
    "export_adapter_about": Sentence(
        "What was trained and nothing else, with tokenizer, chat template and a card; needs its "
        "base to speak.",
        "只有训练出来的部分，附带分词器、对话模板和说明卡；要和底座一起使用。",
    ),
    "export_adapter": Sentence("Download zip", "下载 zip"),
    "export_merged_title": Sentence("Merged model", "合并后的模型"),
    "export_merged_about": Sentence(
        "One whole model that plain Transformers loads, merged into the unquantised base and "
        "checked against base and adapter.",
        "一个完整的模型，Transformers 可直接载入；合并进未量化的底座，并与“底座加适配器”核对。",
    ),
    "export_merged": Sentence("Merge", "合并"),
    "export_gguf_title": Sentence("GGUF", "GGUF"),
    "export_gguf_about": Sentence(
        "One file for llama.cpp, LM Studio and Ollama, with a Modelfile beside it; merged and "
        "checked first.",
        "供 llama.cpp、LM Studio 和 Ollama 使用的单个文件，旁边附有 Modelfile；先合并并核对。",
    ),
    "export_gguf": Sentence("Write GGUF", "写出 GGUF"),
    "export_hub_title": Sentence("Hugging Face Hub", "Hugging Face Hub"),
    "export_hub_about": Sentence(
        "A new repository of your own with a card, private unless you say otherwise. Your token "
        "is used once and kept nowhere.",
        "在你名下新建一个仓库，附说明卡；除非你另有选择，否则是私有的。令牌只用一次，不保存。",
    ),
    "export_hub": Sentence("Push", "上传"),
    "export_needs": Sentence(
        "about {size} · {memory} of memory and {disk} of disk while it is made",
        "约 {size} · 制作时需要内存 {memory}、磁盘 {disk}",
    ),
    "export_asking": Sentence("Looking at what it needs", "正在计算所需的内存和磁盘"),
    "export_stop": Sentence("Stop", "停止"),
    "export_zip": Sentence("Download zip", "下载 zip"),
    "export_dtype": Sentence("Precision", "精度"),
    "export_dtype_auto": Sentence("as the base has it", "与底座相同"),
    "export_quantization": Sentence("Precision", "精度"),
    "export_q8_0": Sentence("q8_0 (half the size)", "q8_0（体积减半）"),
    "export_what": Sentence("What is pushed", "上传什么"),
    "export_repo_id": Sentence("Name", "名字"),
    "export_token": Sentence("Token", "令牌"),
    "export_token_hint": Sentence("hf_…, or empty where you are logged in", "hf_…；已登录可留空"),
    "export_public": Sentence("Anyone may see it", "公开，任何人可见"),
    "export_doing_planning": Sentence("Looking at what it needs", "正在计算所需的内存和磁盘"),
    "export_doing_loading": Sentence("Loading the base, unquantised", "正在载入未量化的底座"),
    "export_doing_listening": Sentence(
        "Listening to base and adapter", "正在记录底座和适配器的回答"
    ),
    "export_doing_merging": Sentence("Merging", "正在合并"),
    "export_doing_writing": Sentence("Writing", "正在写入"),
    "export_doing_reading": Sentence("Reading the file back", "正在读回文件"),
    "export_doing_checking": Sentence(
        "Checking: the written model is loaded anew and asked the same",
        "正在核对：重新载入写出的模型，问同样的问题",
    ),
    "export_doing_packing": Sentence("Packing", "正在打包"),
    "export_doing_uploading": Sentence("Uploading", "正在上传"),
    "export_stopping": Sentence("Stopping", "正在停止"),
    "export_stopped": Sentence("Stopped; nothing of it was kept.", "已停止，没有留下任何文件。"),
    "export_push_stopped": Sentence(
        "Stopped. A repository that was made already is still on the Hub.",
        "已停止。如果仓库已经建好，它还在 Hub 上。",
    ),
    "export_of": Sentence("{doing}, {done} of {all}", "{doing}，{done} / {all}"),
    "export_done": Sentence(
        "{precision}, {size}, made {when}. It lies in", "{precision}，{size}，{when} 导出。位置："
    ),
    "export_pushed": Sentence("It is on the Hub, private:", "已上传到 Hub（私有）："),
    "export_pushed_public": Sentence(
        "It is on the Hub, for anyone to see:", "已上传到 Hub（公开）："
    ),
    "export_packed": Sentence(
        "{file} ({size}) is on its way to your downloads.", "{file}（{size}）正在下载。"
    ),
}
