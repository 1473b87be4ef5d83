package scan

import "strings"

// opRule says what an op does beyond computing on its inputs, and which of its inputs or attributes
// names the file.
type opRule struct {
	kind FindingKind
	path int    // the data input that is a path; -1: none
	attr string // the string attribute that is one
	// checkpoint marks the ops by which a SavedModel's own variables are saved and restored.
	checkpoint bool
}

func reads(path int) opRule  { return opRule{kind: ReadsFiles, path: path} }
func writes(path int) opRule { return opRule{kind: WritesFiles, path: path} }

var (
	talks = opRule{kind: UsesNetwork, path: -1}
	calls = opRule{kind: RunsPython, path: -1}
)

// scanRules are the ops of TensorFlow 2.21 that reach beyond the graph, found by going through all
// that it registers. ReaderRead and its kin are left out: they take a reader that one of the ops
// here makes.
var scanRules = map[string]opRule{
	"ReadFile": reads(0), "MatchingFiles": reads(0), "WholeFileReader": reads(-1), "WholeFileReaderV2": reads(-1),
	"TextLineReader": reads(-1), "TextLineReaderV2": reads(-1), "FixedLengthRecordReader": reads(-1), "FixedLengthRecordReaderV2": reads(-1),
	"TFRecordReader": reads(-1), "TFRecordReaderV2": reads(-1), "LMDBReader": reads(-1), "RecordInput": {kind: ReadsFiles, path: -1, attr: "file_pattern"},
	"TextLineDataset": reads(0), "TFRecordDataset": reads(0), "TFRecordDatasetV2": reads(0), "FixedLengthRecordDataset": reads(0),
	"FixedLengthRecordDatasetV2": reads(0), "CSVDataset": reads(0), "CSVDatasetV2": reads(0), "ExperimentalCSVDataset": reads(0),
	"LMDBDataset": reads(0), "ExperimentalLMDBDataset": reads(0), "MatchingFilesDataset": reads(0), "ExperimentalMatchingFilesDataset": reads(0),
	"SqlDataset": reads(1), "ExperimentalSqlDataset": reads(1), "LoadDataset": reads(0), "ListSnapshotChunksDataset": reads(0),
	"SnapshotChunkDataset": reads(0), "SnapshotDatasetReader": reads(0), "SnapshotNestedDatasetReader": reads(-1),
	"FixedUnigramCandidateSampler": {kind: ReadsFiles, path: -1, attr: "vocab_file"}, "Skipgram": {kind: ReadsFiles, path: -1, attr: "filename"},
	"GenerateVocabRemapping": reads(0), "LoadAndRemapMatrix": reads(0), "InitializeTableFromTextFile": reads(1), "InitializeTableFromTextFileV2": reads(1),
	"Restore":          {kind: ReadsFiles, path: 0, checkpoint: true},
	"RestoreSlice":     {kind: ReadsFiles, path: 0, checkpoint: true},
	"RestoreV2":        {kind: ReadsFiles, path: 0, checkpoint: true},
	"DTensorRestoreV2": {kind: ReadsFiles, path: 0, checkpoint: true},

	"WriteFile": writes(0), "Save": {kind: WritesFiles, path: 0, checkpoint: true}, "SaveSlices": {kind: WritesFiles, path: 0, checkpoint: true},
	"SaveV2": {kind: WritesFiles, path: 0, checkpoint: true}, "MergeV2Checkpoints": {kind: WritesFiles, path: 1, checkpoint: true},
	"CreateSummaryFileWriter": writes(1), "CreateSummaryDbWriter": writes(1), "WriteSummary": writes(-1), "WriteRawProtoSummary": writes(-1),
	"WriteScalarSummary": writes(-1), "WriteHistogramSummary": writes(-1), "WriteImageSummary": writes(-1), "WriteAudioSummary": writes(-1),
	"WriteGraphSummary": writes(-1), "ImportEvent": writes(-1), "DatasetToTFRecord": writes(1), "ExperimentalDatasetToTFRecord": writes(1),
	"SaveDataset": writes(1), "SaveDatasetV2": writes(1), "SnapshotDataset": writes(1), "SnapshotDatasetV2": writes(1), "DistributedSave": writes(1),
	"CacheDataset": writes(1), "CacheDatasetV2": writes(1), "DumpTensor": {kind: WritesFiles, path: -1, attr: "log_dir_path"},
	"CalibrationStatisticsSaver": {kind: WritesFiles, path: -1, attr: "output_file_path"}, "DebugIdentity": writes(-1), "DebugIdentityV2": writes(-1),
	"DebugIdentityV3": writes(-1), "DebugNanCount": writes(-1), "DebugNumericSummary": writes(-1),
	"PrintV2": {kind: WritesFiles, path: -1, attr: "output_stream"},

	"DataServiceDataset": talks, "DataServiceDatasetV2": talks, "DataServiceDatasetV3": talks, "DataServiceDatasetV4": talks,
	"RegisterDataset": talks, "RegisterDatasetV2": talks, "RpcClient": talks, "RpcServer": talks, "RpcServerStart": talks, "RpcServerRegister": talks,
	"RpcCall": talks, "RemoteCall": talks, "Send": talks, "Recv": talks, "ConfigureDistributedTPU": talks, "ShutdownDistributedTPU": talks,
	"FileSystemSetConfiguration": talks, "CollectiveInitializeCommunicator": talks, "CollectiveReduce": talks, "CollectiveReduceV2": talks,
	"CollectiveReduceV3": talks, "CollectiveGather": talks, "CollectiveGatherV2": talks, "CollectiveBcastSend": talks, "CollectiveBcastSendV2": talks,
	"CollectiveBcastRecv": talks, "CollectiveBcastRecvV2": talks, "CollectivePermute": talks, "CollectiveReduceScatterV2": talks,
	"CollectiveAllToAllV2": talks, "CollectiveAllToAllV3": talks,

	"PyFunc": calls, "PyFuncStateless": calls, "EagerPyFunc": calls,
	"Abort":                   {kind: UsesProcess, path: -1},
	"RemoteFusedGraphExecute": {kind: UsesProcess, path: -1},
	// of tf.contrib.ffmpeg: starts ffmpeg
	"DecodeAudio":              {kind: UsesProcess, path: -1},
	"EncodeAudio":              {kind: UsesProcess, path: -1},
	"DecodeAudioV2":            {kind: UsesProcess, path: -1},
	"DecodeVideo":              {kind: UsesProcess, path: -1},
	"XlaCustomCall":            {kind: RunsNativeCode, path: -1},
	"XlaCustomCallV2":          {kind: RunsNativeCode, path: -1},
	"TRTEngineOp":              {kind: RunsNativeCode, path: -1},
	"CreateTRTResourceHandle":  {kind: RunsNativeCode, path: -1},
	"InitializeTRTResource":    {kind: ReadsFiles, path: 1},
	"SerializeTRTResource":     {kind: WritesFiles, path: 1},
	"NumbaPyFunc":              calls,
	"WriteTrainingPredictions": writes(-1),
	"BigQueryReader":           talks,
	"BigtableClient":           talks,
	"GcsConfigureCredentials":  talks,
	"GcsConfigureBlockCache":   talks,
}

// ruleOf returns what there is to say of an op. Ops with a namespace ("Addons>Gelu") are none of
// TensorFlow's own: their code comes from a library that has to be loaded beside the model.
func ruleOf(op string) (opRule, bool) {
	if r, ok := scanRules[op]; ok {
		return r, true
	}
	if strings.Contains(op, ">") {
		return opRule{kind: RunsNativeCode, path: -1}, true
	}
	return opRule{}, false
}
