"""LoRA adapters: small weights beside those of a model, by the peft library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from labelmass.errors import LabelMassError, ModelError
from labelmass.files.writing import replacing
from labelmass.lm.sources import quiet
from labelmass.training.settings import Settings


def check_rank(network: Any, settings: Settings) -> None:
    """LabelMassError for a rank above the width of the network, which none of its weights has."""
    width = max(min(weight.shape) for weight in network.parameters() if weight.ndim == 2)
    if not settings.full and settings.rank > width:
        raise LabelMassError(
            f"rank is {settings.rank}: an integer of at most {width}, the width of this model"
        )


def attach(network: Any, settings: Settings) -> Any:
    """The peft model around `network`, whose linear layers now have an adapter each.

    Only the adapters are trainable. Their first weights are drawn from torch's generator.
    """
    try:
        import peft
    except ImportError as error:
        raise ModelError(
            "training an adapter needs peft; run: pip install 'labelmass[train]'"
        ) from error
    config = peft.LoraConfig(
        task_type="CAUSAL_LM",
        r=settings.rank,
        lora_alpha=settings.alpha,  # pyright: ignore[reportArgumentType]
        lora_dropout=settings.dropout,
        target_modules="all-linear",
    )
    try:
        with quiet():
            return peft.get_peft_model(network, config)
    except ValueError as error:
        raise ModelError(f"no adapter fits this model ({error}); train all its weights") from error


def write(adapted: Any, base: str, folder: Path) -> None:
    """adapter_config.json and adapter_model.safetensors, as peft reads them."""
    import peft
    from safetensors.torch import save

    config = adapted.peft_config["default"]
    config.base_model_name_or_path, config.inference_mode = base, True
    config.target_modules = sorted(config.target_modules)
    config.save_pretrained(folder)
    weights = peft.get_peft_model_state_dict(adapted, save_embedding_layers=False)
    kept = {name: weight.detach().cpu().contiguous() for name, weight in weights.items()}
    with replacing(folder / "adapter_model.safetensors") as partial:
        partial.write_bytes(save(kept, {"format": "pt"}))
