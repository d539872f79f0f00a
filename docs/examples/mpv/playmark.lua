-- Makes mpv remember where you stopped, through Playmark, on any of your machines.
--
--   mpv --script=playmark.lua --script-opts=playmark-servers=http://127.0.0.1:7080 film.mkv
--
-- When a file is loaded the script opens a session, goes to where this profile last stopped, and reports
-- the place once a second while it moves, and at once on a pause, a seek and at the end. A report keeps the
-- token and the elapsed time that it was taken under, however late it is sent: that is what makes the
-- replicas agree. Reports that no server takes are kept and sent with the next ones.
--
-- It speaks HTTP through curl, so that nothing has to be installed beside mpv.

local mp = require("mp")
local options = require("mp.options")
local utils = require("mp.utils")

local settings = {
    servers = "http://127.0.0.1:7080", -- base URLs, the nearest first, with spaces or "+" in between
    profile = "me",
    content = "", -- the file's name where it is empty
    device = "mpv",
}
options.read_options(settings, "playmark")

local TICK_S = 1 -- between reports while the place moves
local ANSWER_S = 3 -- for a server to answer before the next one is asked
local QUEUE_MAX = 120 -- reports kept while nobody answers: two minutes; the oldest tick goes first
local START_OVER_MS = 1000 -- places before this are not worth a seek

local servers = {}
for server in settings.servers:gmatch("[^%s+]+") do
    servers[#servers + 1] = server:gsub("/$", "")
end

local session -- token, asked (when the token was asked for), seq, played
local queue = {} -- reports not yet acknowledged, each with `asked` beside it
local sending = false
local last -- what the last report of a moving place said: token, asked, elapsed_ms
local deliberate = false

local function now_ms(since)
    return math.floor((mp.get_time() - since) * 1000 + 0.5)
end

local function request(server, path, body)
    return {
        name = "subprocess",
        playback_only = false,
        capture_stdout = true,
        stdin_data = body,
        args = {
            "curl", "--silent", "--max-time", tostring(ANSWER_S), "--write-out", "\n%{http_code}",
            "--header", "Content-Type: application/json", "--data-binary", "@-", server .. path,
        },
    }
end

-- What curl printed, as (status, answer); status 0 is a server that did not answer.
local function parse(result)
    local text = result and result.stdout or ""
    local body, status = text:match("^(.*)\n(%d+)%s*$")
    return tonumber(status or 0), utils.parse_json(body or "")
end

local function server_failed()
    table.insert(servers, table.remove(servers, 1))
end

-- Asks one server after the other, and waits; only done before the first frame and after the last.
local function ask(path, body)
    for _ = 1, #servers do
        local status, answer = parse(mp.command_native(request(servers[1], path, body)))
        if status > 0 and status < 500 then
            return status, answer
        end
        server_failed()
    end
    return 0
end

local function adopt(token, asked)
    if session and token and asked >= session.asked then
        session.token, session.asked = token, asked
    end
end

local function forget(reports)
    local gone = {}
    for _, report in ipairs(reports) do
        gone[report] = true
    end
    local kept = {}
    for _, report in ipairs(queue) do
        if not gone[report] then
            kept[#kept + 1] = report
        end
    end
    queue = kept
end

-- The reports of one session line, which is the oldest that waits, as the body of a request.
local function batch()
    local reports, body = {}, {}
    for _, report in ipairs(queue) do
        if #reports == 0 or report.asked == reports[1].asked then
            local copy = {}
            for name, value in pairs(report) do
                copy[name] = value
            end
            copy.asked = nil
            copy.sent_elapsed_ms = now_ms(report.asked)
            reports[#reports + 1], body[#body + 1] = report, copy
        end
    end
    return reports, utils.format_json(body)
end

local function settle(reports, sent_at, status, answer)
    if status == 0 or status >= 500 then
        server_failed()
        return false
    end
    -- Taken, or refused for good: sending the same again would change nothing.
    forget(reports)
    if answer and answer.token then
        adopt(answer.token, sent_at)
    end
    if status >= 400 then
        mp.msg.warn("the server refused a report: " .. tostring(answer and answer.detail or status))
    end
    return true
end

local function send()
    if sending or #queue == 0 then
        return
    end
    sending = true
    local reports, body = batch()
    local sent_at = mp.get_time()
    mp.command_native_async(request(servers[1], "/v1/heartbeats", body), function(_, result)
        sending = false
        if settle(reports, sent_at, parse(result)) and #queue > 0 then
            send()
        end
    end)
end

local function report(event)
    local position = mp.get_property_number("time-pos")
    if not session or (not position and event ~= "ended") then
        return
    end
    local duration = mp.get_property_number("duration")
    -- A place that stood still keeps the time of its last movement, or a player left paused would win.
    local moves = event ~= "stopped" or not mp.get_property_bool("pause") or not last
    if moves then
        last = { token = session.token, asked = session.asked, elapsed_ms = now_ms(session.asked) }
    end
    session.seq = session.seq + 1
    queue[#queue + 1] = {
        token = last.token,
        asked = last.asked,
        seq = session.seq,
        elapsed_ms = last.elapsed_ms,
        position_ms = math.floor((position or duration or 0) * 1000 + 0.5),
        duration_ms = duration and math.floor(duration * 1000 + 0.5) or nil,
        event = event,
        rate = mp.get_property_number("speed"),
        played_ms = math.floor(session.played * 1000 + 0.5),
        deliberate = deliberate,
    }
    if #queue > QUEUE_MAX then
        table.remove(queue, 1)
    end
    send()
end

local function open()
    local asked = mp.get_time()
    local content = settings.content ~= "" and settings.content or mp.get_property("filename")
    local body = utils.format_json({ profile = settings.profile, content = content, device = settings.device })
    local status, answer = ask("/v1/sessions", body)
    if status ~= 201 or not answer or not answer.token then
        mp.msg.warn("no server opened a session; this place will not be remembered")
        return
    end
    session = { token = answer.token, asked = asked, seq = 0, played = 0 }
    last, deliberate = nil, false
    local place = answer.resume and answer.resume.resume_position_ms or 0
    if place > START_OVER_MS then
        mp.set_property("file-local-options/start", tostring(place / 1000))
        mp.osd_message("Playmark: going on at " .. os.date("!%H:%M:%S", math.floor(place / 1000)))
    end
    mp.msg.info("session opened; going on at " .. place .. " ms")
end

-- Sends what waits and waits for it: mpv is about to close.
local function flush()
    while #queue > 0 do
        local reports, body = batch()
        local status, answer = ask("/v1/heartbeats", body)
        if status == 0 then
            mp.msg.warn(#queue .. " reports were taken by no server")
            return
        end
        settle(reports, mp.get_time(), status, answer)
    end
end

local ticked
local function tick()
    local playing = not mp.get_property_bool("pause") and not mp.get_property_bool("core-idle")
    local time = mp.get_time()
    if session and playing then
        session.played = session.played + (ticked and math.min(time - ticked, 2 * TICK_S) or 0)
        report("playing")
    else
        send()
    end
    ticked = playing and time or nil
end

mp.add_hook("on_preloaded", 50, open)
mp.add_periodic_timer(TICK_S, tick)
mp.observe_property("pause", "bool", function(_, paused)
    if session and paused then
        report("paused")
    end
end)
mp.register_event("playback-restart", function()
    -- It follows the first frame and every seek; only a seek of the viewer's is a report.
    if session and session.started then
        deliberate = true
        report("seeked")
    elseif session then
        session.started = true
    end
end)
mp.add_hook("on_unload", 50, function()
    -- The place can still be read here, and after this no more.
    if session then
        report(mp.get_property_bool("eof-reached") and "ended" or "stopped")
        sending = false
        flush()
        session = nil
    end
end)
