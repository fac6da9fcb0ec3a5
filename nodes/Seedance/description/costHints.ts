/**
 * Hints with the price of the chosen settings and the usual time, shown before anything runs. One
 * static text for each price, or for a range where a setting is an expression, because n8n
 * evaluates no text of a hint. A notice among the fields would not do: n8n evaluates an expression
 * before it decides whether a field is shown, and so would show the price of the first item as that
 * of all (docs/n8n-behaviour.md#texts-of-hints).
 */
import type { NodeHint } from 'n8n-workflow';

import {
	MODELS,
	priceSettingsOf,
	pricesOf,
	usualTimeOf,
	type Model,
} from '../../shared/task/models';

/** Stands for an expression, which may give any value. */
const ANY = '=';

/**
 * The expression for a field as it stands in the workflow (docs/n8n-behaviour.md#raw-parameters).
 * For links: whether there are any.
 */
const raw = (field: string) =>
	field === 'referenceVideos'
		? `String($rawParameter["${field}"] || "0").replace(/^[^=0].*/s, "1")`
		: `$rawParameter["${field}"]`;
/** The expression for several fields, as words: a number may be stored as a text. */
const rawWords = (fields: readonly string[]) =>
	`[${fields.map(raw).join(', ')}].map((value) => String(value).replace(/^=.*/s, "${ANY}")).join(" ")`;

type PriceField = 'resolution' | 'duration' | 'generateAudio' | 'referenceVideos';

/** The fields that decide the price of a model, each with the words for its values. */
function wordsOf(model: Model): Array<[PriceField, string[]]> {
	const settings = priceSettingsOf(model);
	const fields: PriceField[] = ['resolution', 'duration', 'generateAudio', 'referenceVideos'];
	return fields
		.map((field): [PriceField, string[]] => [
			field,
			[...new Set(settings.map((one) => String(one[field])))],
		])
		.filter(([field, words]) => words.length > 1 || field === 'duration');
}

/** Every combination of values and expressions in these fields, as words. */
function patternsOf(fields: ReadonlyArray<[PriceField, string[]]>): string[][] {
	return fields.reduce<string[][]>(
		(patterns, [, words]) =>
			patterns.flatMap((pattern) => [...words, ANY].map((word) => [...pattern, word])),
		[[]],
	);
}

/** Every text about the price of a model, with the combinations that it is true for. */
function textsOf(model: Model): Map<string, string[]> {
	const fields = wordsOf(model);
	const texts = new Map<string, string[]>();
	for (const pattern of patternsOf(fields)) {
		const fitting = priceSettingsOf(model).filter((settings) =>
			fields.every(([field], index) => [ANY, String(settings[field])].includes(pattern[index])),
		);
		const prices = fitting.map((settings) => model.credits(settings));
		const message = costText(prices, model);
		texts.set(message, [...(texts.get(message) ?? []), pattern.join(' ')]);
	}
	return texts;
}

/** The text of a hint. `model`: undefined where an expression chooses it; then no time is named. */
function costText(prices: readonly number[], model?: Model): string {
	const [least, most] = [Math.min(...prices), Math.max(...prices)];
	const time = model ? ` and usually takes ${usualTimeOf(model)}` : '';
	return least === most
		? `Each video with these settings costs ${least} credits${time}.`
		: `Depending on the expressions, each video costs ${least} to ${most} credits${time}.`;
}

const hint = (message: string, conditions: readonly string[]): NodeHint => ({
	message,
	displayCondition: `={{ ${conditions.join(' && ')} }}`,
	whenToDisplay: 'beforeExecution',
	location: 'outputPane',
});

/** The hints about the price of each combination, in these operations. */
export function costHints(operations: readonly string[]): NodeHint[] {
	const isHere = `${JSON.stringify(operations)}.includes($rawParameter["operation"])`;
	const ofModels = MODELS.flatMap((model) => {
		const isModel = `$rawParameter["model"] === ${JSON.stringify(model.value)}`;
		const key = rawWords(wordsOf(model).map(([field]) => field));
		return [...textsOf(model)].map(([message, patterns]) =>
			hint(message, [isHere, isModel, `${JSON.stringify(patterns)}.includes(${key})`]),
		);
	});
	const isAnyModel = `${rawWords(['model'])} === "${ANY}"`;
	return [...ofModels, hint(costText(MODELS.flatMap(pricesOf)), [isHere, isAnyModel])];
}
