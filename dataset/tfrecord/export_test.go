package tfrecord

// AppendRecord appends a record that holds data.
var AppendRecord = appendRecord
