"""Public datasets, in the form their authors publish them, from files that the user has.

A dataset is one module and one line here. Nothing is ever downloaded.
"""

from labelmass.datasets.sources import brighter, goemotions, guards
from labelmass.datasets.sources.base import Reading, Source, SourceFile
from labelmass.datasets.sources.beavertails import BEAVERTAILS
from labelmass.datasets.sources.convabuse import CONVABUSE
from labelmass.datasets.sources.dices import DICES
from labelmass.datasets.sources.hatexplain import HATEXPLAIN
from labelmass.datasets.sources.mfrc import MFRC
from labelmass.datasets.sources.semeval2018 import SEMEVAL
from labelmass.datasets.sources.simplesafety import SIMPLE_SAFETY
from labelmass.datasets.sources.tweettopic import TWEETTOPIC
from labelmass.datasets.sources.wide import WIDE

SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        goemotions.AGGREGATED,
        goemotions.RAW,
        SEMEVAL,
        MFRC,
        HATEXPLAIN,
        brighter.OFFICIAL,
        brighter.ANNOTATORS,
        CONVABUSE,
        DICES,
        TWEETTOPIC,
        BEAVERTAILS,
        guards.GUARD_3,
        guards.GUARD_2,
        SIMPLE_SAFETY,
        WIDE,
    )
}
"""Every dataset that can be brought in, by name."""

__all__ = ["SOURCES", "Reading", "Source", "SourceFile"]
