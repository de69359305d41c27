import msgspec
def write(report, file):
    file.write(msgspec.json.format(msgspec.json.encode(report)).decode())
