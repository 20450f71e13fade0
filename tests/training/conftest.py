"""What tests of training share: the options of a run that takes a moment."""

import pytest

from engine.config import TrainConfig


@pytest.fixture(scope="session")
def short_run(tiny_model_folder, small_dataset):
    """short_run(**options): two rows a step, on the tiny model, a fifth of them held out."""

    def make(**options):
        return TrainConfig(
            dataset=str(small_dataset),
            model_name_or_path=str(tiny_model_folder),
            max_length=64,
            lora_r=4,
            learning_rate=3e-3,
            per_device_train_batch_size=2,
            eval_size=0.2,
            **options,
        )

    return make


@pytest.fixture
def hasty(monkeypatch):
    """Without looking back at what was learned, nor PEFT's own card in each checkpoint; neither is
    what is tried."""
    monkeypatch.setattr("engine.training.train.look_back", lambda *_: None)
    monkeypatch.setattr("peft.PeftModel.create_or_update_model_card", lambda *_: None)
