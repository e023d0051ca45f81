#!/bin/sh
sed -i 's/colour: red/colour: blue/' "$1"
