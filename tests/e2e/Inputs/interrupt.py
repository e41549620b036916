"""Runs a command, interrupts it a while after its first checkpoint has been
written, and expects it to end by that: interrupt.py CHECKPOINT COMMAND..."""
import os
import signal
import subprocess
import sys
import time

checkpoint, command = sys.argv[1], sys.argv[2:]
process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
while not os.path.exists(checkpoint):
    assert process.poll() is None, "ended without a checkpoint"
    time.sleep(0.005)
# Into the next epoch.
time.sleep(0.05)
process.send_signal(signal.SIGINT)
status = process.wait()
assert status in (130, -signal.SIGINT), status
