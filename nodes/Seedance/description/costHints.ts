/**
 * The price of the chosen settings, shown beside them before anything runs. One static text for
 * each price, because n8n evaluates no text of a hint. A notice among the fields would not do: n8n
 * evaluates an expression before it decides whether a field is shown, and so would tell the price
 * of the first item as if it were that of all (docs/n8n-behaviour.md#texts-of-hints).
 */
import type { NodeHint } from 'n8n-workflow';

import { creditsFor, DURATIONS, RESOLUTIONS } from '../../shared/task/models';

/**
 * True where the field holds this value itself (docs/n8n-behaviour.md#raw-parameters). A number may
 * be stored as a text.
 */
const holds = (field: string, value: string | boolean) =>
	typeof value === 'string'
		? `String($rawParameter["${field}"]) === ${JSON.stringify(value)}`
		: `$rawParameter["${field}"] === ${JSON.stringify(value)}`;

/** One hint for each combination of resolution, duration and audio, in these operations. */
export const costHints = (operations: readonly string[]): NodeHint[] =>
	RESOLUTIONS.flatMap((resolution) =>
		DURATIONS.flatMap((duration) =>
			[false, true].map(
				(generateAudio): NodeHint => ({
					message: `Each video with these settings costs ${creditsFor(resolution, duration, generateAudio)} credits.`,
					displayCondition: `={{ ${[
						`${JSON.stringify(operations)}.includes($rawParameter["operation"])`,
						holds('resolution', resolution),
						holds('duration', duration),
						holds('generateAudio', generateAudio),
					].join(' && ')} }}`,
					whenToDisplay: 'beforeExecution',
					location: 'outputPane',
				}),
			),
		),
	);
