"""A real RTSP server for the tests: Debian's gst-rtsp-server, run by the system's Python.

    /usr/bin/python3 rtsp_server.py PORT [USER PASSWORD]

Serves rtsp://127.0.0.1:PORT/eye, an orange picture as JPEG over RTP, and prints "ready".
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

PICTURE = "videotestsrc is-live=true pattern=solid-color foreground-color=0xffb45f32"

Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(sys.argv[1])
factory = GstRtspServer.RTSPMediaFactory()
factory.set_shared(True)
factory.set_launch(
    f"( {PICTURE} ! video/x-raw,format=RGB,width=320,height=240,framerate=15/1 ! videoconvert "
    "! video/x-raw,format=I420,colorimetry=1:4:0:0 ! jpegenc quality=95 ! rtpjpegpay name=pay0 )"
)
if len(sys.argv) > 2:
    authentication = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    basic = GstRtspServer.RTSPAuth.make_basic(sys.argv[2], sys.argv[3])
    authentication.add_basic(basic, token)
    server.set_auth(authentication)
    factory.add_role_from_structure(
        Gst.Structure.new_from_string(
            "viewer, media.factory.access=(boolean)true, media.factory.construct=(boolean)true"
        )
    )
server.get_mount_points().add_factory("/eye", factory)
server.attach(None)
sys.stdout.write("ready\n")
sys.stdout.flush()
GLib.MainLoop().run()
