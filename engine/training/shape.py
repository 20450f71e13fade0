"""What of a model decides its memory and its speed: counts of parameters and widths."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Shape:
    """`linear_parameters` are those of linear layers without the head: what quantisation shrinks;
    the sizes are numbers a token: `query_size` of all query heads together, `intermediate_size` of
    all experts that a token goes to."""

    linear_parameters: int
    other_parameters: int
    trainable_parameters: int
    layers: int
    hidden_size: int
    intermediate_size: int
    query_size: int
    key_value_size: int
    vocab_size: int
    varlen: bool  # the attention can be told the boundaries of rows
    linear_names: tuple[str, ...]  # what an adapter can sit on
    experts_per_token: int = 0
    merged_parameters: int = 0  # see engine.models.methods
    reads_prompts_whole: bool = False  # see engine.models.attention
    # Old names among those that were chosen, with today's.
    renamed_targets: dict[str, list[str]] = field(default_factory=dict)

    @property
    def total_parameters(self) -> int:
        return self.linear_parameters + self.other_parameters
