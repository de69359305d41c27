"""The words that rules write beside values, in what they observed and what they expect.

What hides identifiers in findings tells these words, codes, numbers and the keywords of attributes, and takes
out a text that has any other. So they stand here one by one, and no name of a person is among them. A rule
that writes another word has it added here, as a test of all cases says; findings of a site's own rules are
told as far as they do with these.
"""

from typing import Final

REDACTED: Final = "[redacted]"
"""Stands for what is taken out."""

_TEXT: Final = """
a about absent absolute accepts acquisition add after again against age alike all allocated allow allows
alone along already also always an and angle annex annotation annotations another answer answers any
anything apart applied archive archives are around as ascending asks at attribute attributes audio away axes
axis b back backslash bad basic be beam beats became before beginning begins behind belongs below beside
between beyond binary birth bit bits blacked block blocks blue body bomb both bottom boundaries
brachytherapy but by byte bytes can cannot capital capitals capture case cell centers change changes channel
channels character characters checksum checksums chest class clean cleaned code codes collision colons colour
column columns comes comma common compact compare complete component components compressed compression
contains content context contour contours control coordinate copy corners could creation creator crossed cut
damaged data date dates days de decimal declared declares defined definition deflated degrees deleted
delimiters delivered described detector device dicom dicomdir differ different differs digit digits
dimension dimensions direction directions directory distance do does dose dots dummy duplicate each edition
element elements elsewhere empty encrypted encryption end ends entries entry enumerated equally error escape
even every evidence examination executable exists expands expired explicit expression fail fall far file
files find first focal folder follow followed for form fraction fragments frame frame's frames free from
front frozen full functional g general give given gives goes google greater green group groups half has have
header hemodynamic here hidden hit holds hour identified identifier identifying if ignore image images
implicit import imports in inaccessible incorrect index indices information inner input inside instance
instances integer intercept interpretation into is issuer it item items its json keeps key keyword kg kind
kinds known last later latin lead leading leads leans least left length lengths less letter letters lie
limit line listed listing lists localizers looked loss lower m made make maker's makes mandatory many mapped
mean meaning meant measured meet meets megavolts member members meta metadata method minute minutes mismatch
missing mixed ml mm modalities modality model module monochrome month more most ms multiple must n name
names near needs negative neither nesting no nobody non none normal not note notes nothing number numbered
numbers object objects odd of off offset offsets on once one ones only opened optical option options or
order ordered other others otherwise out outside over overlap overlay overwrite own package packed padded
padding pairs palette parallel part parts pass path paths patient pattern per period person photometric
piece pixel pixels place places plain plan plane planes point pointed points policy position positions
preamble present primary private probably puts quality ratio read readable reader readers reads reason
reasons received reconstructions record records red refer reference refers refuses region regions regular
rejected rejection remove removed replace replaced required responsible retention retired review right
rightly rise root row rows rules s safety same sample samples say says scanner scheme search second seconds
seen segment segmentation segments send sequences series set sets setup several sex share shared shifted
sibling side sign signed since size slice slices slope so some somebody something source space spaces
special spells square stack stacks stand standard stands step stop stops storage stored string structure
studies study study's such surrogate syntax system table tabs tag take takes target term text than that the
their them then there these they thick thickness thing this three tiles time times to tolerance too top
trailing transfer traversal trigger truncated turned turns twice two type undecodable undefined under
underscore unit units unknown unless unlisted unpacks unread unreadable unsettled up upper use value values
very volume volumes vr vrs warns was waveform weight weights were what when where wherever which whole whose
wide widths with within without word words write writes wrong x years yields zero zeros zone
"""

WORDS: Final = frozenset(_TEXT.split())
"""In small letters; some with `'s`."""

SPELT: Final = frozenset(
    {
        *("ACR-NEMA", "AWS", "Azure", "DICOM", "Google", "HealthImaging", "IOD", "ISO", "LUT", "Orthanc"),
        *("SR", "SUV", "VOI", "dcm4chee-arc", "dcm4chee"),
        *("nnnD", "nnnM", "nnnW", "nnnY", "YYYYMMDD", "YYYYMMDDHHMMSS.FFFFFF&ZZXX"),
        *("A770H", "A772H", "A773H", "A774H", "A775H", "A776H", "A777H", "A778H", "A779H", "A77BH", "A900H"),
        *("B00EH", "B110H", "B120H", "B201H"),
    }
)
"""Words in the sentences of rules that are told as they are spelt here."""

PHRASES: Final = (
    "longer than 12 characters",
    "longer than 16 characters",
    "outside -2147483648 to 2147483647",
    "ISO 8601",
    "answers 409",
    "answers 43264",
    "answers 45070",
    "type 1",
    "type 1C",
    "type 2",
    "type 2C",
)
"""Numbers in the sentences of rules that come from no study."""
