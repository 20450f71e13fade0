"""Bases that many begin with, offered by name with the size of what is fetched."""

# GiB of weights in the precision in which they are published (2026-11).
KNOWN = {
    "Qwen/Qwen3-0.6B": 1.4,
    "Qwen/Qwen3-1.7B": 3.8,
    "Qwen/Qwen3-4B": 7.5,
    "Qwen/Qwen3-8B": 15.3,
    "Qwen/Qwen2.5-7B-Instruct": 14.2,
    "meta-llama/Llama-3.2-1B-Instruct": 2.3,
    "meta-llama/Llama-3.2-3B-Instruct": 6.0,
    "google/gemma-3-1b-it": 1.9,
    "zai-org/glm-4-9b-chat-hf": 17.5,
    "HuggingFaceTB/SmolLM2-135M-Instruct": 0.3,
    "HuggingFaceTB/SmolLM2-360M-Instruct": 0.7,
    "HuggingFaceTB/SmolLM2-1.7B-Instruct": 3.2,
    "THUDM/chatglm3-6b": 11.6,
    "Qwen/Qwen-7B-Chat": 14.4,
    "THUDM/chatglm-6b": 12.5,
    "tiiuae/falcon-rw-1b": 2.4,
}
