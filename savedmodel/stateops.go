package savedmodel

import "github.com/tfrun/tfrun/internal/graph"

// anonymousName is the shared_name of a resource that no other run finds
// (ResourceHandle::ANONYMOUS_NAME).
const anonymousName = "cd2c89b7-88b7-44c8-ad83-06c2a9158347"

// stateOps are the ops of TensorFlow 2.21 that change what is kept from one run to the next, with
// the input that is the handle of it, or -1 where the op or the session keeps it. They were found
// by going through all ops that are registered as stateful or take a reference. Left out: what only
// reads, what fills a table that is filled already (InitializeTable), optimizers, which go by their
// prefixes, and what the scan refuses (files, the network, Python). Stacks live as long as one run;
// they are here because what is popped was pushed.
var stateOps = graph.OpSets(map[int]string{
	0: `AssignVariableOp AssignAddVariableOp AssignSubVariableOp AssignVariableXlaConcatND ResourceCountUpTo ResourceStridedSliceAssign
		ResourceScatterAdd ResourceScatterDiv ResourceScatterMax ResourceScatterMin ResourceScatterMul ResourceScatterSub ResourceScatterUpdate
		ResourceScatterNdAdd ResourceScatterNdMax ResourceScatterNdMin ResourceScatterNdSub ResourceScatterNdUpdate
		Assign AssignAdd AssignSub CountUpTo StridedSliceAssign NegTrain SdcaShrinkL1
		ScatterAdd ScatterDiv ScatterMax ScatterMin ScatterMul ScatterSub ScatterUpdate
		ScatterNdAdd ScatterNdMax ScatterNdMin ScatterNdSub ScatterNdUpdate
		LookupTableInsert LookupTableInsertV2 LookupTableRemoveV2 LookupTableImport LookupTableImportV2
		IteratorGetNext IteratorGetNextSync IteratorGetNextAsOptional DeserializeIterator MultiDeviceIteratorGetNextFromShard
		StackPush StackPushV2`,
	1: `MakeIterator MultiDeviceIteratorInit`,
	-1: `QueueEnqueue QueueEnqueueV2 QueueEnqueueMany QueueEnqueueManyV2 QueueDequeue QueueDequeueV2 QueueDequeueMany QueueDequeueManyV2
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

// holderOps make what a handle stands for: true for what later runs find again under its name,
// false for what each run has for itself.
var holderOps = graph.OpSets(map[bool]string{
	true: `VarHandleOp Variable VariableV2
		HashTable HashTableV2 MutableHashTable MutableHashTableV2 MutableHashTableOfTensors MutableHashTableOfTensorsV2
		MutableDenseHashTable MutableDenseHashTableV2
		Iterator IteratorV2 OneShotIterator IteratorFromStringHandle IteratorFromStringHandleV2 MultiDeviceIterator MultiDeviceIteratorFromStringHandle`,
	false: `TemporaryVariable Stack StackV2
		AnonymousHashTable AnonymousMutableHashTable AnonymousMutableHashTableOfTensors AnonymousMutableDenseHashTable
		AnonymousIterator AnonymousIteratorV2 AnonymousIteratorV3 AnonymousMultiDeviceIterator AnonymousMultiDeviceIteratorV3`,
})

// randomOps draw numbers from a generator that the session or the kernel keeps, or read the clock.
// Those named Stateless take their seed as an input.
var randomOps = graph.OpSets(map[bool]string{
	true: `RandomUniform RandomUniformInt RandomStandardNormal TruncatedNormal ParameterizedTruncatedNormal Multinomial RandomGamma
		RandomPoisson RandomPoissonV2 RandomShuffle RandomCrop SampleDistortedBoundingBox SampleDistortedBoundingBoxV2
		StatefulUniform StatefulUniformFullInt StatefulUniformInt StatefulStandardNormal StatefulStandardNormalV2 StatefulTruncatedNormal
		StatefulRandomBinomial RngReadAndSkip RngSkip NonDeterministicInts
		AllCandidateSampler FixedUnigramCandidateSampler LearnedUnigramCandidateSampler LogUniformCandidateSampler ThreadUnsafeUnigramCandidateSampler
		UniformCandidateSampler RandomDataset RandomDatasetV2 ExperimentalRandomDataset ShuffleDataset ShuffleDatasetV2 ShuffleDatasetV3
		ShuffleAndRepeatDataset ShuffleAndRepeatDatasetV2 Timestamp`,
})
