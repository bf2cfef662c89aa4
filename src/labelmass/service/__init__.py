"""The service: one scorer behind the wires that clients already speak.

Needs the extra `serve`.
"""
