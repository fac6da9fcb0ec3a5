/** The label of each parameter, as a person sees it. */
import { callbackFields, freeFields, priceFields, requestFields, taskFields } from './fields';
import { sameVideoFields } from './sameVideoFields';
import { filterFields } from './filterFields';
import { NUMBERS } from './numbers';
import {
	batching,
	creditBudget,
	includeInput,
	maxAtOnce,
	maxCredits,
	optionsOf,
	pollInterval,
	restarts,
	timeout,
	videoList,
} from './options';
import { downloadVideo, outputBinaryField, simplify, waitFields } from './resultFields';

const FIELDS = [
	...taskFields,
	...requestFields,
	...priceFields,
	...freeFields,
	...sameVideoFields,
	...callbackFields,
	...waitFields,
	...filterFields,
	downloadVideo,
	outputBinaryField,
	simplify,
	optionsOf(),
];
const OPTIONS = [
	batching,
	creditBudget,
	includeInput,
	maxAtOnce,
	maxCredits,
	pollInterval,
	restarts,
	timeout,
	videoList,
];
/** Labels of fields within options that have no entry of their own above. */
const PARTS = [
	['options.creditBudget.budget.budgetFor', 'Maximum Credits per Period > For'],
] as const;

/** The labels of all fields, by the path of their parameter. */
const LABELS: ReadonlyMap<string, string> = new Map([
	['operation', 'Operation'],
	...FIELDS.map(({ name, displayName }) => [name, displayName] as const),
	...OPTIONS.map(({ name, displayName }) => [`options.${name}`, displayName] as const),
	...PARTS,
	...Object.values(NUMBERS).map(({ path, label }) => [path, label] as const),
]);

/** The label of a field. `path` is the name of its parameter, or its path within the Options. */
export function labelOf(path: string): string {
	return LABELS.get(path) ?? path;
}
