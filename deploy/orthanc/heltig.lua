-- Asks Heltig about a study before Orthanc stores an instance of it.
--
-- In Orthanc's configuration: "LuaScripts": ["/etc/orthanc/heltig.lua"]. See docs/hooks.md.
--
-- What it cannot do: tell the sender. Orthanc answers success to C-STORE (0000H) and to STOW-RS (200, the
-- instance among those stored) and drops the instance; only its own REST interface says "FilteredOut". So use
-- it where a copy remains elsewhere, as behind a migration. Where a sender may delete what it has sent, put
-- Heltig's gate in front instead. Nor does it remove what was stored before a verdict turned. Orthanc waits for
-- an answer as long as its own setting "HttpTimeout" says: make it short.

-- Where Heltig answers: the address of HELTIG_CONSULT_BIND, or of the service with a key for it.
local HELTIG = os.getenv("HELTIG_CONSULT_URL") or "http://127.0.0.1:8043"
local KEY = os.getenv("HELTIG_API_KEY")

-- The location whose verdict counts, an archive's name; empty for the worst of all.
local ARCHIVE = os.getenv("HELTIG_CONSULT_ARCHIVE") or ""

-- What is not stored. PENDING is what Heltig never saw, has not judged yet, or has to judge again.
local REFUSED = { BLOCKED = true, NEEDS_REVIEW = false, PENDING = true }

-- What happens to instances while Heltig does not answer: true stores them unseen.
local STORED_WHEN_SILENT = false

-- Seconds for which an answer holds. An instance of a series of 2,000 must not ask again.
local KEPT = { READY = 60, NEEDS_REVIEW = 60, BLOCKED = 60, PENDING = 5, SILENT = 5 }
local MOST_KEPT = 10000

local known, number = {}, 0

local function encoded(text)
  return (text:gsub("[^%w%.%-_]", function (c) return string.format("%%%02X", string.byte(c)) end))
end

local function ask(study)
  local url = HELTIG .. "/consult/studies/" .. encoded(study)
  if ARCHIVE ~= "" then url = url .. "?archive=" .. encoded(ARCHIVE) end
  local answer
  if KEY then  -- an empty table of headers ends the request in Orthanc 1.10
    answer = HttpGet(url, { ["Authorization"] = "Bearer " .. KEY })
  else
    answer = HttpGet(url)
  end
  return answer and answer:match("verdict=(%u[%u_]*)") or "SILENT"
end

local function verdict(study)
  local now, kept = os.time(), known[study]
  if kept and now < kept.ends then return kept.verdict end
  if number >= MOST_KEPT then known, number = {}, 0 end
  if not kept then number = number + 1 end
  local said = ask(study)
  known[study] = { verdict = said, ends = now + (KEPT[said] or KEPT.PENDING) }
  if said == "SILENT" then
    print("Heltig does not answer; instances are " .. (STORED_WHEN_SILENT and "stored unseen" or "refused"))
  elseif REFUSED[said] then
    print("Heltig says " .. said .. ": instances of " .. study .. " are refused")
  end
  return said
end

function ReceivedInstanceFilter(dicom, origin, info)
  local study = dicom.StudyInstanceUID
  if type(study) ~= "string" or study == "" then return false end
  local said = verdict(study)
  if said == "SILENT" then return STORED_WHEN_SILENT end
  return not REFUSED[said]
end
