"""Words of the proof under each answer."""

from engine.errors import Sentence

WORDS = {
    "proof_adapter": Sentence("Active adapter", "启用的适配器"),
    "proof_no_adapter": Sentence("none", "无"),
    "proof_speed": Sentence("Speed", "速度"),
    "proof_captured": Sentence(
        "compiled, one CUDA graph a token", "已编译，每个 token 一张 CUDA 图"
    ),
    "proof_changes_nothing": Sentence(
        "This adapter changes nothing here: after the same prompt its first scores are the base's, "
        "to the last bit. It may be untrained, or trained at other places than it is loaded.",
        "这个适配器在这里没有起任何作用：读了同样的提示，首个 token 的分数与原模型分毫不差。"
        "它可能没有训练过，或者没有装到训练时的位置上。",
    ),
    "proof_same_scores": Sentence(
        "These compute exactly the same here: {voices}. After the same prompt their first scores "
        "are equal to the last bit. They may be one adapter twice, such as a run's end and its "
        "last checkpoint.",
        "这几个声音在这里算得完全一样：{voices}。读了同样的提示，首个 token 的分数分毫不差。"
        "它们可能是同一个适配器，例如一次训练的结果和它的最后一个检查点。",
    ),
    "proof_together": Sentence("All voices spoke in one pass.", "所有声音在同一批次里同时作答。"),
    "proof_in_turn": Sentence("The voices spoke one after the other.", "各个声音依次作答。"),
    "proof_in_turn_because": Sentence(
        "One after the other: {methods} cannot be told apart in a batch.",
        "依次作答：{methods} 无法在同一批次里区分开。",
    ),
    "proof_base_same": Sentence(
        "The base is itself: checked against its untouched weights.",
        "原模型没有变：已与未改动的权重核对。",
    ),
    "proof_base_differs": Sentence(
        "The base is not quite itself while adapters are loaded: its scores differ by up to "
        "{difference} from those of its untouched weights. Unload and load again.",
        "装上适配器后，原模型的分数与未改动的权重最多相差 {difference}，已不完全是它自己。"
        "请卸载后重新载入。",
    ),
}
