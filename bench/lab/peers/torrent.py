# One libtorrent client with its ordinary settings. Prints "ready", waits for a line, then "done" when it has everything.
# torrent.py make FILE TORRENT TRACKER | torrent.py run TORRENT FOLDER ADDRESS seed|leech

import sys
import time

import libtorrent as lt


def make(file, torrent, tracker):
    storage = lt.file_storage()
    lt.add_files(storage, file)
    made = lt.create_torrent(storage, 0, lt.create_torrent.v1_only)
    made.add_tracker(tracker)
    lt.set_piece_hashes(made, file.rsplit("/", 1)[0])
    with open(torrent, "wb") as out:
        out.write(lt.bencode(made.generate()))


def run(torrent, folder, address, part):
    session = lt.session(
        {
            "listen_interfaces": address + ":6881",
            "enable_dht": False,
            "enable_upnp": False,
            "enable_natpmp": False,
            "alert_mask": 0,
            "enable_outgoing_utp": False,
            "enable_incoming_utp": False,
        }
    )
    what = {"ti": lt.torrent_info(torrent), "save_path": folder}
    handle = None
    if part == "seed":
        handle = session.add_torrent(what)
        while not handle.status().is_seeding:
            time.sleep(0.05)
    print("ready", flush=True)
    sys.stdin.readline()
    if handle is None:
        handle = session.add_torrent(what)
    while not handle.status().is_seeding:
        time.sleep(0.05)
    print("done", flush=True)
    while True:
        time.sleep(60)


{"make": make, "run": run}[sys.argv[1]](*sys.argv[2:])
