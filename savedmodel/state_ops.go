package savedmodel

import "strings"

// The ops of TensorFlow 2.21 that keep something from one run to the next, found by going through all that it registers as stateful or as taking a
// reference. Left out: what lives as long as one run (Stack, TensorArray: ResourceMgr's step container), what only reads, what fills a table that
// is filled already (InitializeTable), and what the scan refuses (files, the network, Python).
var stateOps = holders(map[stateHolder]string{
	variables: `AssignVariableOp AssignAddVariableOp AssignSubVariableOp AssignVariableXlaConcatND ResourceCountUpTo ResourceStridedSliceAssign
		ResourceScatterAdd ResourceScatterDiv ResourceScatterMax ResourceScatterMin ResourceScatterMul ResourceScatterSub ResourceScatterUpdate
		ResourceScatterNdAdd ResourceScatterNdMax ResourceScatterNdMin ResourceScatterNdSub ResourceScatterNdUpdate`,
	references: `Assign AssignAdd AssignSub CountUpTo StridedSliceAssign NegTrain SdcaShrinkL1
		ScatterAdd ScatterDiv ScatterMax ScatterMin ScatterMul ScatterSub ScatterUpdate
		ScatterNdAdd ScatterNdMax ScatterNdMin ScatterNdSub ScatterNdUpdate`,
	tables: `LookupTableInsert LookupTableInsertV2 LookupTableRemoveV2 LookupTableImport LookupTableImportV2`,
	iterators: `MakeIterator IteratorGetNext IteratorGetNextSync IteratorGetNextAsOptional DeserializeIterator
		MultiDeviceIteratorInit MultiDeviceIteratorGetNextFromShard`,
	session: `QueueEnqueue QueueEnqueueV2 QueueEnqueueMany QueueEnqueueManyV2 QueueDequeue QueueDequeueV2 QueueDequeueMany QueueDequeueManyV2
		QueueDequeueUpTo QueueDequeueUpToV2 QueueClose QueueCloseV2 BarrierInsertMany BarrierTakeMany BarrierClose
		Stage Unstage StageClear MapStage MapUnstage MapUnstageNoKey MapClear OrderedMapStage OrderedMapUnstage OrderedMapUnstageNoKey OrderedMapClear
		AccumulatorApplyGradient AccumulatorSetGlobalStep AccumulatorTakeGradient SparseAccumulatorApplyGradient SparseAccumulatorTakeGradient
		ResourceAccumulatorApplyGradient ResourceAccumulatorSetGlobalStep ResourceAccumulatorTakeGradient
		GetSessionHandle GetSessionHandleV2 DeleteSessionTensor
		ReaderRead ReaderReadV2 ReaderReadUpTo ReaderReadUpToV2 ReaderReset ReaderResetV2 ReaderRestoreState ReaderRestoreStateV2 RecordInput Skipgram
		InfeedEnqueue InfeedEnqueueTuple InfeedDequeue InfeedDequeueTuple OutfeedEnqueue OutfeedEnqueueTuple OutfeedDequeue OutfeedDequeueTuple
		BoostedTreesCenterBias BoostedTreesCreateEnsemble BoostedTreesCreateQuantileStreamResource BoostedTreesDeserializeEnsemble
		BoostedTreesFlushQuantileSummaries BoostedTreesQuantileStreamResourceAddSummaries BoostedTreesQuantileStreamResourceDeserialize
		BoostedTreesQuantileStreamResourceFlush BoostedTreesUpdateEnsemble BoostedTreesUpdateEnsembleV2`,
})

// sharedHolders are the ops that make what several runs find again under its name. Their anonymous kin are made anew in each run.
var sharedHolders = holders(map[stateHolder]string{
	variables:  `VarHandleOp`,
	references: `Variable VariableV2`,
	tables: `HashTable HashTableV2 MutableHashTable MutableHashTableV2 MutableHashTableOfTensors MutableHashTableOfTensorsV2
		MutableDenseHashTable MutableDenseHashTableV2`,
	iterators: `Iterator IteratorV2 OneShotIterator IteratorFromStringHandle IteratorFromStringHandleV2 MultiDeviceIterator
		MultiDeviceIteratorFromStringHandle`,
})

// randomOps draw numbers from a generator that the session or the kernel keeps, or read the clock. Those named Stateless take their seed as an input.
var randomOps = func() map[string]bool {
	set := map[string]bool{}
	for op := range strings.FieldsSeq(`RandomUniform RandomUniformInt RandomStandardNormal TruncatedNormal ParameterizedTruncatedNormal Multinomial RandomGamma
		RandomPoisson RandomPoissonV2 RandomShuffle RandomCrop SampleDistortedBoundingBox SampleDistortedBoundingBoxV2
		StatefulUniform StatefulUniformFullInt StatefulUniformInt StatefulStandardNormal StatefulStandardNormalV2 StatefulTruncatedNormal
		StatefulRandomBinomial RngReadAndSkip RngSkip NonDeterministicInts
		AllCandidateSampler FixedUnigramCandidateSampler LearnedUnigramCandidateSampler LogUniformCandidateSampler ThreadUnsafeUnigramCandidateSampler
		UniformCandidateSampler RandomDataset RandomDatasetV2 ExperimentalRandomDataset ShuffleDataset ShuffleDatasetV2 ShuffleDatasetV3
		ShuffleAndRepeatDataset ShuffleAndRepeatDatasetV2 Timestamp`) {
		set[op] = true
	}
	return set
}()

// holders spells out lists of ops.
func holders(lists map[stateHolder]string) map[string]stateHolder {
	byOp := map[string]stateHolder{}
	for holder, list := range lists {
		for op := range strings.FieldsSeq(list) {
			byOp[op] = holder
		}
	}
	return byOp
}
