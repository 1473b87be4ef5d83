”
¡ì
D
AddV2
x"T
y"T
z"T"
Ttype:
2	Äê

NoOp
C
Placeholder
output"dtype"
dtypetype"
shapeshape:"serve*2.21.02v2.21.0-rc1-5-ga481b10260dë
R
xPlaceholder*
_output_shapes

:*
dtype0*
shape
:
R
yPlaceholder*
_output_shapes

:*
dtype0*
shape
:
;
addAddV2xy*
T0*
_output_shapes

:

initNoOp

init_all_tablesNoOp"™*y
serving_defaultf

x
x:0

y
y:0
z
add:0tensorflow/serving/predict