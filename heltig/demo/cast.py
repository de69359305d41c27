"""The people, places and devices of the synthetic studies: all made up, in several scripts."""

from datetime import date

from heltig.demo.exam import Device, Person, Site

NORDTAL = Site(
    institution="Klinikum Nördtal",
    address="Mühlenstraße 4, 99998 Nördtal",
    department="Radiologie",
    referrer="Großmann^Käthe^^Dr.",
    operator="Weiß^Jürgen",
    charset=("ISO_IR 100",),
    issuer="NORDTAL",
)
AIGLI = Site(
    institution="Νοσοκομείο Αίγλη",
    address="Οδός Ελιάς 12, Αίγλη",
    department="Ακτινολογικό",
    referrer="Δημητρίου^Άννα",
    operator="Νικολάου^Πέτρος",
    charset=("ISO_IR 126",),
    issuer="AIGLI",
)
AOBA = Site(
    institution="青葉台総合病院",
    address="青葉台1-2-3",
    department="放射線科",
    referrer="Sasaki^Kenji=佐々木^健二=ささき^けんじ",
    operator="Mori^Yuka=森^由佳=もり^ゆか",
    charset=("", "ISO 2022 IR 87"),
    issuer="AOBADAI",
)
HANBIT = Site(
    institution="한빛마을병원",
    address="한빛로 7",
    department="영상의학과",
    referrer="Lee^Sujin=李^秀珍=이^수진",
    operator="Park^Jiho=朴^智浩=박^지호",
    charset=("", "ISO 2022 IR 149"),
    issuer="HANBIT",
)
BEREZY = Site(
    institution="Больница Три Берёзы",
    address="ул. Садовая, 9",
    department="Рентгенология",
    referrer="Соколова^Мария",
    operator="Орлов^Дмитрий",
    charset=("ISO_IR 144",),
    issuer="TRIBEREZY",
)
QINGHE = Site(
    institution="清河镇人民医院",
    address="清河镇柳树路18号",
    department="超声科",
    referrer="Chen^Jing=陈^静",
    operator="Liu^Wei=刘^伟",
    charset=("GB18030",),
    issuer="QINGHE",
)
LIPOWO = Site(
    institution="Szpital Powiatowy w Lipówce – Łąkowa",
    address="ul. Źródlana 3, 00-998 Lipówka",
    department="Zakład Diagnostyki Obrazowej",
    referrer="Wójcik^Łucja",
    operator="Żak^Michał",
    charset=("ISO_IR 192",),
    issuer="LIPOWKA",
)
HARBOUR = Site(
    institution="Harbour Lights Hospital",
    address="1 Quay Road, Saltmarsh",
    department="Imaging",
    referrer="Ashdown^Imogen^^Dr",
    operator="Pell^Marcus",
    charset=(),
    issuer="HARBOUR",
)

MUELLER = Person("Müller^Jörg", "NT-204817", date(1958, 3, 14), "M", 1.81, 88.0)
SCHAEFER = Person("Schäfer^Anneliese", "NT-118230", date(1941, 11, 2), "F", 1.62, 59.5)
PAPPAS = Person("Παππάς^Νίκος", "AG0045512", date(1966, 7, 21), "M", 1.76, 82.0)
ELENI = Person("Ιωάννου^Ελένη", "AG0051087", date(1972, 1, 30), "F", 1.65, 61.0)
YAMADA = Person("Yamada^Tarou=山田^太郎=やまだ^たろう", "AO-7730142", date(1975, 5, 5), "M", 1.70, 66.0)
SUZUKI = Person("Suzuki^Hana=鈴木^花=すずき^はな", "AO-7742206", date(1989, 9, 17), "F", 1.58, 50.5)
KIM = Person("Kim^Minjun=金^民俊=김^민준", "HB20-0981", date(1983, 12, 9), "M", 1.74, 71.0)
CHOI = Person("Choi^Yuna=崔^柔娜=최^유나", "HB20-1377", date(1994, 4, 25), "F", 1.63, 54.0)
PETROV = Person("Петров^Алексей^Иванович", "TB-60017", date(1950, 8, 1), "M", 1.79, 91.0)
IVANOVA = Person("Иванова^Ольга^Сергеевна", "TB-60358", date(1963, 2, 11), "F", 1.67, 70.0)
ZHANG = Person("Zhang^Xiaodong=张^晓东", "QH886120", date(1979, 10, 23), "M", 1.73, 69.0)
WANG = Person("Wang^Lihua=王^丽华", "QH886977", date(1986, 6, 6), "F", 1.60, 55.0)
KOWALSKI = Person("Kowalski^Łukasz", "LP-33107", date(1997, 2, 28), "M", 1.84, 79.0)
ZIELINSKA = Person("Zielińska^Małgorzata", "LP-33541", date(1969, 5, 19), "F", 1.68, 67.0)
FENWICK = Person("Fenwick^Daniel", "HL1047", date(1955, 9, 30), "M", 1.77, 84.0)
OKAFOR = Person("Okafor^Grace", "HL1233", date(1978, 3, 3), "F", 1.71, 72.5)

# These seven are the ones whose identity is broken, so each of them is in one study only.
BRANDT = Person("Brandt^Friedrich", "NT-097116", date(1948, 6, 27), "M", 1.78, 80.0)
KOENIG = Person("König^Jörg", "NT-311905", date(1971, 10, 8), "M", 1.83, 90.0)
JAEGER = Person("Jäger^Günther", "NT-288014", date(1960, 4, 11), "M", 1.75, 77.5)
GEORGIOU = Person("Γεωργίου^Σοφία", "AG0060412", date(1974, 8, 30), "F", 1.64, 63.0)
SOKOLOV = Person("Соколов^Борис", "TB-61990", date(1957, 1, 19), "M", 1.74, 85.0)
HOLT = Person("Holt^Rowena", "HL1390", date(1967, 7, 7), "F", 1.70, 68.0)
ADEYEMI = Person("Adeyemi^Tunde", "HL1402", date(1990, 2, 16), "M", 1.86, 83.0)

CT_SCANNER = Device("Fjordlys Medical", "Spirale 64", "FL-64-20117", "VC12A", "CT2")
CT_FAST = Device("Kestrel Imaging", "Talon CT 128", "K128-0551", "4.7.2", "KCT1")
MR_SCANNER = Device("Aokumo Systems", "Tesla Three", "AK3T-0098", "R5.1", "MR1")
MR_OPEN = Device("Fjordlys Medical", "Magnet Nord 1.5", "FL-15-3302", "VE40C", "MR2")
CR_READER = Device("Lumen Plate", "Reader 35", "LP35-7781", "6.0", "CR03")
DX_ROOM = Device("Kestrel Imaging", "FlatRoom D", "KFD-2210", "2.14", "DX1")
MAMMOGRAPH = Device("Rosa Diagnostics", "Clara 3", "RC3-00412", "9.3", "MG1")
ULTRASOUND = Device("Echo Delta", "Delta 9", "ED9-88120", "11.2.1", "US4")
PET_SCANNER = Device("Aokumo Systems", "Coincidence 20", "AC20-0017", "R2.8", "PT1")
GAMMA_CAMERA = Device("Fjordlys Medical", "Gamma Duo", "FL-GD-0442", "VA60", "NM1")
CATH_LAB = Device("Kestrel Imaging", "Arc 12", "KA12-0038", "3.3", "XA1")
PLANNING = Device("Beamwright", "PlanWright", "BW-0001", "15.6", "TPS1")
WORKSTATION = Device("Heltig", "Synthetic Workstation", "HW-0001", "1.0", "WS1")
CARDIOGRAPH = Device("Pulsar Cardio", "Twelve", "PC12-3390", "2.0", "ECG2")
