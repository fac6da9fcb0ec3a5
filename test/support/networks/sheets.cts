/**
 * Google Sheets, as far as rows are read and cells written: one spreadsheet with one sheet, whose first row holds the names
 * of the columns.
 *
 * Documents: https://developers.google.com/workspace/sheets/api/reference/rest/v4/spreadsheets.values
 */
import { isRecord } from '../../sandbox/server.cjs';
import { googleError, type GoogleAccount } from './google.cjs';
import { reply, unknownCall, type Call, type Network, type Reply } from './network.cjs';

type Cell = string | number | boolean;

/** An area of a sheet, all of it without `from`. Rows count from 1, columns from 0. */
interface Area {
	from?: { column: number; row: number };
	to?: { column: number; row: number };
}

export class Sheets implements Network {
	readonly spreadsheetId = '1SeedanceTests0123456789abcdefghijklmnopqrstu';
	readonly sheetName = 'Ideas';

	/** The cells, row by row, the names of the columns first. */
	private cells: Cell[][] = [];

	constructor(private readonly account: GoogleAccount) {}

	serves(host: string): boolean {
		return host === 'sheets.googleapis.com';
	}

	reset(): void {
		this.cells = [];
	}

	/** Writes a whole sheet, as a person does. */
	fill(columns: string[], rows: Array<Partial<Record<string, Cell>>>): void {
		this.cells = [columns, ...rows.map((row) => columns.map((column) => row[column] ?? ''))];
	}

	/** The rows below the names of the columns; a cell that nobody has written is empty. */
	rows(): Array<Record<string, Cell>> {
		const [columns = [], ...rows] = this.cells;
		return rows.map((row) =>
			Object.fromEntries(columns.map((column, index) => [column, row[index] ?? ''])),
		);
	}

	/** Writes cells of one row, which count from 1 without the names of the columns. */
	edit(row: number, cells: Record<string, Cell>): void {
		for (const [column, value] of Object.entries(cells)) {
			this.cells[row][this.cells[0].indexOf(column)] = value;
		}
	}

	handle(call: Call): Reply {
		const refusal = this.account.refusal(call);
		if (refusal) return refusal;
		const root = `/v4/spreadsheets/${this.spreadsheetId}`;
		if (!call.path.startsWith(root)) {
			return googleError(404, 'notFound', 'Requested entity was not found.');
		}
		const path = call.path.slice(root.length);
		if (call.method === 'GET' && path === '') return this.properties();
		const [, values] = /^\/values\/(.+)$/.exec(path) ?? [];
		if (call.method === 'GET' && values) return this.read(values);
		if (call.method === 'POST' && path === '/values:batchUpdate') return this.write(call);
		return unknownCall(call);
	}

	private properties(): Reply {
		const gridProperties = { rowCount: 1000, columnCount: 26 };
		const { sheetName: title } = this;
		const properties = { sheetId: 0, title, index: 0, sheetType: 'GRID', gridProperties };
		return reply(200, { sheets: [{ properties }] });
	}

	/** Trailing empty cells and rows are left out, and `values` where there is none. */
	private read(range: string): Reply {
		const area = this.areaOf(range);
		if (!area) return invalidRange(range);
		const { from = { column: 0, row: 1 }, to = { column: 25, row: 1000 } } = area;
		const rows = this.cells
			.slice(from.row - 1, to.row)
			.map((row) => withoutEmptyEnd(row.slice(from.column, to.column + 1), (cell) => cell === ''));
		const values = withoutEmptyEnd(rows, (row) => row.length === 0);
		return reply(200, { range, majorDimension: 'ROWS', ...(values.length > 0 && { values }) });
	}

	private write({ json: { data, valueInputOption } }: Call): Reply {
		if (!['RAW', 'USER_ENTERED'].includes(String(valueInputOption)) || !Array.isArray(data)) {
			return googleError(400, 'badRequest', "'valueInputOption' is required but not specified");
		}
		for (const one of data) {
			const range = isRecord(one) ? String(one.range) : '';
			const area = this.areaOf(range);
			if (!area?.from || !isRecord(one) || !isMatrix(one.values)) return invalidRange(range);
			for (const [down, cells] of one.values.entries()) {
				const row = (this.cells[area.from.row - 1 + down] ??= []);
				for (const [right, cell] of cells.entries()) row[area.from.column + right] = cell;
			}
		}
		const { spreadsheetId } = this;
		return reply(200, { spreadsheetId, totalUpdatedCells: data.length });
	}

	/** Reads A1 notation: a sheet, a cell of it, or a range of cells. */
	private areaOf(range: string): Area | undefined {
		const [, quoted, plain, start, end] =
			/^(?:'(.+)'|([^!]+))(?:!([A-Z]+\d*)(?::([A-Z]+\d*))?)?$/.exec(range) ?? [];
		if ((quoted ?? plain) !== this.sheetName) return;
		if (start === undefined) return {};
		return { from: cellOf(start, 1), to: cellOf(end ?? start, 1000) };
	}
}

const invalidRange = (range: string) =>
	googleError(400, 'badRequest', `Unable to parse range: ${range}`);

function cellOf(name: string, defaultRow: number): { column: number; row: number } {
	const [, letters, digits] = /^([A-Z]+)(\d*)$/.exec(name) ?? [];
	const column = [...letters].reduce((sum, letter) => sum * 26 + letter.charCodeAt(0) - 64, 0) - 1;
	return { column, row: digits ? Number(digits) : defaultRow };
}

function withoutEmptyEnd<T>(list: T[], isEmpty: (one: T) => boolean): T[] {
	const kept = [...list];
	while (kept.length > 0 && isEmpty(kept[kept.length - 1])) kept.pop();
	return kept;
}

const isMatrix = (values: unknown): values is Cell[][] =>
	Array.isArray(values) && values.every((row) => Array.isArray(row));
